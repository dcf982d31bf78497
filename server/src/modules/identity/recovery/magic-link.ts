import type { Ctx } from '../../../platform/context.ts'
import * as users from '../../users/users.ts'
import * as oneTime from '../one-time-tokens.ts'
import type { Client, Tokens } from '../sessions/sessions.ts'
import { settings } from '../settings.ts'
import { signIn } from '../sign-in/sign-in.ts'
import { claimByOwner } from './claim.ts'
import { errors } from './errors.ts'
import { magicLinkRequested } from './events.ts'
import { takeLink } from './links.ts'

/** Notes that somebody wants to sign in with a link; the rest is done later, see `passwords.forgot`. 403 `auth.magic_link_off`. */
export const request = async (ctx: Ctx, email: string): Promise<void> => {
  requireOn(ctx)
  await ctx
    .asSystem('note that somebody who is not signed in asked for a link to sign in with')
    .tx(async (tx) => tx.emit(magicLinkRequested, { email: users.normaliseEmail(email) }))
}

/**
 * Signs in with a link: by the one door, so a second factor is asked for as ever. An account whose address was never confirmed is taken
 * over by who holds the link, see `claimByOwner`. Errors: 403 `auth.magic_link_off`, 410 `auth.link_invalid`, and those of `signIn`.
 */
export const use = async (
  ctx: Ctx,
  input: { readonly token: string; readonly remember_me: boolean; readonly client: Client },
): Promise<Tokens> => {
  requireOn(ctx)
  const { token, remember_me, client } = input
  const system = ctx.asSystem('sign in who holds the link to do so')
  const seen = await oneTime.look(system, token, 'magic_link')
  const owner = seen?.user_id ? await users.byId(system, seen.user_id) : null
  if (owner === null || !owner.is_active) throw errors.link_invalid()
  return signIn(ctx, {
    user_id: owner.id,
    method: 'magic_link',
    remember_me,
    client,
    first: async (tx) => {
      if ((await takeLink(tx, owner.id, token, 'magic_link')) === null) return errors.link_invalid()
      await claimByOwner(tx, owner.id)
      return null
    },
  })
}

const requireOn = (ctx: Ctx): void => {
  if (!ctx.settings(settings).magic_link) throw errors.magic_link_off()
}
