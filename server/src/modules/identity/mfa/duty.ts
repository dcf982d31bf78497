import type { Ctx, SystemRole } from '../../../platform/context.ts'
import { settings } from '../settings.ts'
import { requirement } from './mfa.ts'

/** Whether the installation asks this account for a second factor. */
export const isAsked = (ctx: Ctx, role: SystemRole): boolean => {
  const { require_mfa } = ctx.settings(settings)
  return require_mfa === 'everyone' || (require_mfa === 'admins' && role === 'admin')
}

/** Whether it is asked for one and has none yet: then it may do nothing but look after itself. Needs the system's scope. */
export const mustEnrol = async (ctx: Ctx, user: { readonly id: string; readonly role: SystemRole }): Promise<boolean> =>
  isAsked(ctx, user.role) && (await requirement(ctx, user.id)) === null
