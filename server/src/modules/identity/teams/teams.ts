import type { Ctx } from '../../../platform/context.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import * as users from '../../users/users.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import * as accounts from '../accounts.ts'
import { errors } from '../errors.ts'
import { hashPool } from '../passwords/hash-pool.ts'
import { login } from '../identity.ts'
import * as sessions from '../sessions/sessions.ts'
import type { AccessToken, Client, Tokens } from '../sessions/sessions.ts'
import { sessionSwitched } from './events.ts'
import type { InvitedLogin, InvitedRegistration } from './schema.ts'
import * as store from './store.ts'

/**
 * Makes the current workspace, which the route names, that of the session: the access token that comes back starts there, and so do those of
 * later refreshes. 403 `http.forbidden` for who shows an API key or a token of a foreign issuer.
 */
export const switchTo = async (ctx: Ctx): Promise<AccessToken & { readonly workspace_id: string }> => {
  const { actor } = ctx
  const workspace_id = ctx.workspace_id as string
  if (actor.type !== 'user' || actor.via.type !== 'session')
    throw httpErrors.forbidden({ detail: 'Only a session has a current workspace.' })
  const { session_id } = actor.via
  return ctx.asSystem('a request changes no session but to end it', workspace_id).tx(async (tx) => {
    const session = await sessions.lock(tx, session_id)
    const user = await users.byId(tx, actor.user_id)
    if (session === null || session.revoked_at !== null || user === null) throw errors.session_revoked()
    if (session.workspace_id !== workspace_id) {
      await store.putWorkspace(tx.db, session_id, workspace_id)
      tx.emit(
        sessionSwitched,
        { session_id, user_id: user.id, workspace_id },
        { before: { workspace_id: session.workspace_id }, after: { workspace_id } },
      )
    }
    return { ...sessions.accessTokenOf(tx, user, { ...session, workspace_id }), workspace_id }
  })
}

/**
 * Makes the account of somebody who holds the link of an invitation, lets them join, and signs them in there; also where registration is closed. Their
 * address counts as confirmed, because the link was sent to it. Errors: 404 `workspaces.invitation_not_found`, 409 `users.email_taken`, 409
 * `users.username_taken`, 422 `auth.password_weak`, 503 `identity.busy`; 402 `plans.limit_reached`, after which the account is there.
 */
export const register = async (ctx: Ctx, input: InvitedRegistration, client: Client): Promise<Tokens> => {
  const { email } = await workspaces.invitationOf(ctx, input.token)
  const { username, name } = input
  await accounts.requireGoodPassword(ctx, input.password, {
    email,
    ...(username === undefined ? {} : { username }),
    ...(name === undefined ? {} : { name }),
  })
  const system = ctx.asSystem('somebody who is invited is not signed in yet')
  if ((await users.byEmail(system, email)) !== null) throw userErrors.email_taken()
  const hash = await ctx.use(hashPool).hash(input.password)
  const home = ctx.newId()
  // Two transactions, because each is of one workspace: after a crash in between the account is there, and the invitation in its list.
  const user = await ctx.asSystem('make the account of somebody who is invited', home).tx(async (tx) => {
    const made = await accounts.create(tx, { email, username, name, role: 'user', email_verified: true, hash }, home)
    tx.onBehalfOf(made.id)
    return made
  })
  return workspaces.joinByToken(ctx, input.token, user.id, (tx, { workspace_id }) =>
    sessions.open(tx, { user, workspace_id, remember_me: false, method: 'registration', client }),
  )
}

/**
 * Signs in to the account of the address that an invitation was sent to, with its password, and joins. Errors: 404
 * `workspaces.invitation_not_found`, those of `login`, and then those of accepting an invitation: the session is there by then and ends unused.
 */
export const signIn = async (ctx: Ctx, input: InvitedLogin, client: Client): Promise<Tokens> => {
  const { email } = await workspaces.invitationOf(ctx, input.token)
  const { password, code } = input
  const tokens = await login(ctx, { email, password, ...(code === undefined ? {} : { code }) }, client)
  await workspaces.joinByToken(ctx, input.token, tokens.user.id, (_tx, joined) => Promise.resolve(joined))
  return tokens
}
