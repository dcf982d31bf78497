import { createHash, randomBytes } from 'node:crypto'
import type { App, Ctx } from '../../../platform/context.ts'
import { httpService } from '../../../platform/http/http-service.ts'
import { Problem } from '../../../platform/errors.ts'
import { defineService } from '../../../platform/service.ts'
import { StartError } from '../../../platform/start-error.ts'
import { errors as userErrors } from '../../users/errors.ts'
import * as users from '../../users/users.ts'
import { emailPattern } from '../../users/schema.ts'
import * as accounts from '../accounts.ts'
import { errors } from '../errors.ts'
import { hashPool } from '../passwords/hash-pool.ts'
import type { Setup } from '../schema.ts'
import * as sessions from '../sessions/sessions.ts'
import type { Client, Tokens } from '../sessions/sessions.ts'
import { settings } from '../settings.ts'
import * as store from './setup-store.ts'

const prefix = 'mlrs_'
const lifeMs = 24 * 3_600_000

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

/**
 * A one-time link under which the first admin is made, good for a day; null when there is an admin. Each call makes a new one, and the older
 * ones stay good, so that several processes may start at once; the first use ends them all.
 */
export const setupLink = async (app: App): Promise<string | null> => {
  const ctx = app.asSystem('offer the set-up of the first admin')
  if (await users.hasAdmin(ctx)) return null
  const token = prefix + randomBytes(32).toString('base64url')
  const now = ctx.now()
  await ctx.tx((tx) =>
    store.insertToken(tx.db, {
      token_hash: hashOf(token),
      created_at: new Date(now).toISOString(),
      expires_at: new Date(now + lifeMs).toISOString(),
    }),
  )
  return `${app.use(httpService).url()}/setup?token=${token}`
}

/**
 * Makes the first admin, exactly once however many try at the same moment. Errors: 401 `auth.setup_invalid`, 409 `auth.setup_done`,
 * 422 `auth.password_weak`, 409 `users.email_taken`, 503 `identity.busy`.
 */
export const setUp = async (ctx: Ctx, input: Setup, client: Client): Promise<Tokens> => {
  const system = ctx.asSystem('set up the first admin, before anyone can sign in')
  const token_hash = hashOf(input.token)
  const isGood = async (db: Ctx['db']): Promise<boolean> =>
    (await store.findToken(db, token_hash, new Date(ctx.now()).toISOString())) !== undefined
  // Looked at first, so that a guess costs no hash; what counts is looked at again in the transaction.
  if (!(await isGood(system.db))) throw (await users.hasAdmin(system)) ? errors.setup_done() : errors.setup_invalid()
  await accounts.requireGoodPassword(ctx, input.password, input)
  const hash = await ctx.use(hashPool).hash(input.password)
  const workspace_id = ctx.newId()
  return ctx.asSystem('make the first admin', workspace_id).tx(async (tx) => {
    await store.lockSetup(tx.db)
    if (await users.hasAdmin(tx)) throw errors.setup_done()
    if (!(await isGood(tx.db))) throw errors.setup_invalid()
    await store.deleteTokens(tx.db)
    const user = await accounts.create(
      tx,
      { email: input.email, name: input.name, role: 'admin', email_verified: true, hash },
      workspace_id,
    )
    return sessions.open(tx, { user, workspace_id, remember_me: false, method: 'setup', client })
  })
}

const emailForm = new RegExp(emailPattern)

/**
 * Makes the admin that `MILLRACE_ADMIN_EMAIL` and `MILLRACE_ADMIN_PASSWORD` name, if nobody has that address yet. Called before the
 * server listens. An account that exists is left as it is, whatever its role: a setting must not raise somebody who registered.
 */
export const ensureAdmin = async (app: App): Promise<void> => {
  const { admin_email, admin_password } = app.settings(settings)
  if (admin_email === null && admin_password === null) return
  if (admin_email === null || admin_password === null) {
    throw new StartError(
      `MILLRACE_ADMIN_${admin_email === null ? 'EMAIL' : 'PASSWORD'} is not set, and its companion is.`,
      'Set both MILLRACE_ADMIN_EMAIL and MILLRACE_ADMIN_PASSWORD, or neither.',
    )
  }
  if (!emailForm.test(admin_email))
    throw new StartError('MILLRACE_ADMIN_EMAIL is not an e-mail address.', 'Set it to the address of the admin.')
  const ctx = app.asSystem('look for the admin that the configuration names')
  const existing = await users.byEmail(ctx, admin_email)
  if (existing !== null) {
    if (existing.role !== 'admin')
      app.log.warn({ user_id: existing.id }, 'MILLRACE_ADMIN_EMAIL names an account that is not an admin; it is left as it is')
    return
  }
  try {
    await accounts.requireGoodPassword(ctx, admin_password, { email: admin_email })
    const hash = await app.use(hashPool).hash(admin_password)
    const workspace_id = app.newId()
    await app
      .asSystem('make the admin that the configuration names', workspace_id)
      .tx((tx) => accounts.create(tx, { email: admin_email, role: 'admin', email_verified: true, hash }, workspace_id))
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    // Another process that starts at the same moment was faster.
    if (error.code === userErrors.email_taken.code) return
    if (error.code !== errors.password_weak.code) throw error
    throw new StartError(`MILLRACE_ADMIN_PASSWORD is refused: ${error.message}`, 'Choose another one, of 12 to 128 characters.')
  }
}

/** Makes that admin before the server listens. */
export const configuredAdmin = defineService<null>({
  name: 'identity.configured_admin',
  create: () => null,
  start: (_none, app) => ensureAdmin(app),
})
