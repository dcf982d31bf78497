import type { Actor } from '../context.ts'
import { type Permissions, type Refusal, refusalOf } from '../permissions.ts'
import { httpErrors } from './errors.ts'
import type { Allow } from './route.ts'

/** Refuses the actor with a 401 or 403 problem, or returns. */
export type Admit = (actor: Actor) => void

/** The check of one route, made when it is mounted: a permission that no module declares is a mistake found at boot. */
export const admitBy = (allow: Allow, permissions: Permissions): Admit => {
  if (allow === 'public') return () => undefined
  const permission = permissions.get(allow)
  if (permission === undefined) throw new Error(`No module declares the permission '${allow}'.`)
  return (actor) => {
    if (actor.type === 'anonymous') throw httpErrors.unauthenticated({ headers: { 'www-authenticate': 'Bearer' } })
    const refusal = refusalOf(permission, actor)
    if (refusal === 'enrolment') throw httpErrors.mfa_enrolment_required()
    if (refusal !== null) throw httpErrors.forbidden({ detail: details[refusal](allow), extra: { permission: allow } })
  }
}

const details: { readonly [refusal in Exclude<Refusal, 'enrolment'>]: (permission: string) => string } = {
  role: (permission) => `This needs the permission ${permission}.`,
  key: (permission) => `This API key does not have the permission ${permission}.`,
  session: () => 'This takes a session of your own: sign in.',
}
