import type { Ctx, TxCtx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import * as mail from '../../mail/mail.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import type { UserRow } from '../../users/users.ts'
import { errors as authErrors } from '../errors.ts'
import { tokenKeys } from '../services.ts'
import * as sessions from '../sessions/sessions.ts'
import type { Client } from '../sessions/sessions.ts'
import { settings } from '../settings.ts'
import { homeOf } from '../sign-in/sign-in.ts'
import { errors } from './errors.ts'
import { impersonationStarted } from './events.ts'

const life_ms = 3_600_000

export interface Acting {
  readonly user: UserRow
  readonly access_token: string
  readonly refresh_token: null
  readonly token_type: 'bearer'
  /** Seconds. */
  readonly expires_in: number
}

/**
 * Opens a session for the caller, an admin, in which they act as somebody: for an hour, without a refresh token, and no longer than the
 * session they do it from. Errors: 404 `users.not_found`, 403 `auth.impersonation_refused`, 401 `auth.session_revoked`.
 */
export const start = async (ctx: Ctx, user_id: string, reason: string, client: Client): Promise<Acting> => {
  const admin = sessions.caller(ctx)
  if (user_id === admin.user_id) throw errors.impersonation_refused({ detail: 'This is you.' })
  const system = ctx.asSystem('an admin begins to act as a user')
  if ((await users.byId(system, user_id)) === null) throw userErrors.not_found()
  const workspace_id = await homeOf(system, user_id)
  return ctx.asSystem('open a session in which an admin acts as a user', workspace_id).tx(async (tx) => {
    // Whoever ends the admin's session waits for this, and then ends this one too; or was faster, and is seen here.
    const own = await sessions.lock(tx, admin.session_id)
    if (own === null || own.revoked_at !== null) throw authErrors.session_revoked()
    const user = await target(tx, user_id)
    const ends_ms = Math.min(tx.now() + life_ms, Date.parse(own.expires_at))
    const session = await sessions.openFor(tx, { user, workspace_id, ends_ms, client, impersonator: admin })
    tx.emit(impersonationStarted, {
      session_id: session.id,
      user_id,
      impersonator_id: admin.user_id,
      reason,
      expires_at: session.expires_at,
    })
    if (tx.settings(settings).impersonation_mails) await tell(tx, user, reason)
    return { user, access_token: tokenOf(tx, user, session), refresh_token: null, token_type: 'bearer', expires_in: life(tx, session) }
  })
}

const target = async (tx: TxCtx, user_id: string): Promise<UserRow> => {
  await users.lock(tx, user_id)
  const user = await users.byId(tx, user_id)
  if (user === null) throw userErrors.not_found()
  if (user.role === 'admin') throw errors.impersonation_refused({ detail: 'Nobody acts as an admin.' })
  if (!user.is_active) throw errors.impersonation_refused({ detail: 'The account is switched off.' })
  return user
}

const life = (ctx: Ctx, session: sessions.SessionRow): number => Math.floor((Date.parse(session.expires_at) - ctx.now()) / 1000)

/** Good for as long as the session, because nothing renews it. */
const tokenOf = (tx: TxCtx, user: UserRow, session: sessions.SessionRow): string => {
  const iat = Math.floor(tx.now() / 1000)
  const exp = Math.floor(Date.parse(session.expires_at) / 1000)
  return tx.use(tokenKeys).current().sign({ sub: user.id, sid: session.id, wid: session.workspace_id, role: user.role, iat, exp })
}

/** Ends the session in which the caller acts as somebody else. 409 `auth.not_impersonating`. */
export const stop = async (ctx: Ctx): Promise<void> => {
  if (ctx.actor.type !== 'user' || ctx.actor.impersonator_id === null) throw errors.not_impersonating()
  const { user_id, session_id } = sessions.caller(ctx)
  await ctx.tx((tx) => sessions.end(tx, user_id, [session_id], 'impersonation_ended'))
}

const tell = async (tx: TxCtx, user: UserRow, reason: string): Promise<void> => {
  const installation = tx.use(httpService).url()
  const written = mail.write({
    subject: 'An administrator is looking at your account',
    paragraphs: [
      `An administrator of ${new URL(installation).host} has opened a session in your name, for an hour at most.`,
      `The reason given is: ${reason}`,
    ],
    notes: [
      'What is done in it is recorded with both names. You see the session in the list of yours and can end it there.',
      `Sent to ${user.email} by ${new URL(installation).host}.`,
    ],
  })
  await mail.send(tx, { ...written, to: user.email, kind: 'identity.impersonation', user_id: user.id, workspace_id: tx.workspace_id })
}
