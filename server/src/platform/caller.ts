import type { Ctx } from './context.ts'
import { httpErrors } from './http/errors.ts'

/** The user who asks. Throws 401 `http.unauthenticated` where nobody does, or the product itself. */
export const callerId = (ctx: Ctx): string => {
  if (ctx.actor.type !== 'user') throw httpErrors.unauthenticated()
  return ctx.actor.user_id
}
