import { setTimeout as pause } from 'node:timers/promises'
import type { App, Ctx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { secrets } from '../../../platform/secrets.ts'
import { defineService } from '../../../platform/service.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import type { Opened } from '../opened.ts'
import * as store from '../store.ts'
import { timeoutOf } from '../verdict.ts'
import { askForTokens, type Config, type Tokens } from './token-endpoint.ts'

/** So long before its end a token is renewed, that no request sets out with one that ends on the way. */
const ahead_ms = 60_000
const look_again_ms = 50

const sealedFor = (id: string): string => `integrations/${id}/tokens`

const openTokens = async (app: App, row: store.SealedRow): Promise<Tokens | null> =>
  row.tokens === null ? null : (JSON.parse(await app.use(secrets).open(sealedFor(row.id), row.tokens)) as Tokens)

/** For storage in the row: the tokens, and when the access token ends. */
export const sealTokens = (app: App, id: string, tokens: Tokens): store.StoredTokens => ({
  tokens: app.use(secrets).seal(sealedFor(id), JSON.stringify(tokens)),
  tokens_expire_at: tokens.expires_at === null ? null : new Date(tokens.expires_at).toISOString(),
})

const isGood = (tokens: Tokens | null, now: number): tokens is Tokens =>
  tokens !== null && (tokens.expires_at === null || tokens.expires_at - ahead_ms > now)

/** Renewals that are under way in this process, by integration: whoever comes meanwhile gets what they bring. */
export const renewals = defineService<Map<string, Promise<string>>>({ name: 'integrations.renewals', create: () => new Map() })

/**
 * An access token that is good for the next minute. Of any number that ask at once, in any number of processes, one renews it. Errors: 422
 * `integrations.consent_needed`, 422 `integrations.client_refused`, 502 `integrations.no_token`, and those of the outbound client.
 */
export const accessToken = async (ctx: Ctx, opened: Opened): Promise<string> => {
  const tokens = await openTokens(ctx, opened.row)
  if (isGood(tokens, ctx.now())) return tokens.access_token
  const { id } = opened.row
  const running = ctx.use(renewals)
  const known = running.get(id)
  if (known !== undefined) return known
  const renewal = renew(ctx, opened).finally(() => void running.delete(id))
  running.set(id, renewal)
  return renewal
}

const systemFor = (ctx: Ctx, { row }: Opened): Ctx => ctx.asSystem('renew the tokens of an integration', row.workspace_id)

/** Another process may be at it: then its tokens are waited for, as long as it may take and lives. */
const renew = async (ctx: Ctx, opened: Opened): Promise<string> => {
  for (;;) {
    const turn = await claim(ctx, opened)
    if (turn.kind === 'good') return turn.tokens.access_token
    if (turn.kind === 'mine') return await renewNow(ctx, { ...opened, row: turn.row })
    await pause(look_again_ms)
  }
}

type Turn =
  | { readonly kind: 'good'; readonly tokens: Tokens }
  | { readonly kind: 'mine'; readonly row: store.SealedRow }
  | { readonly kind: 'wait' }

const claim = (ctx: Ctx, opened: Opened): Promise<Turn> =>
  systemFor(ctx, opened).tx(async (tx): Promise<Turn> => {
    const { id, workspace_id } = opened.row
    const row = await store.lockSealed(tx.db, workspace_id, id)
    if (row === undefined) throw errors.missing({ detail: `There is no integration ${id}.` })
    const tokens = await openTokens(tx, row)
    const now = tx.now()
    if (isGood(tokens, now)) return { kind: 'good', tokens }
    if (row.renewing_until !== null && Date.parse(row.renewing_until) > now) return { kind: 'wait' }
    await store.setRenewing(tx.db, id, new Date(now + timeoutOf(tx) + 5_000).toISOString())
    return { kind: 'mine', row }
  })

const renewNow = async (ctx: Ctx, opened: Opened): Promise<string> => {
  try {
    const tokens = await ask(ctx, opened)
    // Committed before anybody uses it: a refresh token that was used up for it must not be all that is left.
    const { id, revision } = opened.row
    const kept = await systemFor(ctx, opened).tx((tx) => store.putTokens(tx.db, id, revision, sealTokens(tx, id, tokens)))
    if (!kept) throw errors.consent_outdated()
    return tokens.access_token
  } catch (error) {
    await settle(ctx, opened, error)
    throw error
  }
}

const ask = async (ctx: Ctx, opened: Opened): Promise<Tokens> => {
  const { grant, scopes = [] } = opened.row.config as Config
  if (grant === 'client_credentials')
    return askForTokens(ctx, opened, { grant_type: grant, ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }) }, null)
  const refresh_token = (await openTokens(ctx, opened.row))?.refresh_token ?? null
  if (refresh_token === null) throw errors.consent_needed({ detail: 'Nobody has given their consent yet, or it has ended.' })
  return askForTokens(ctx, opened, { grant_type: 'refresh_token', refresh_token }, refresh_token)
}

/** Lets others have their turn, and tells when it cannot help to try again: the service has refused. */
const settle = (ctx: Ctx, opened: Opened, error: unknown): Promise<void> =>
  systemFor(ctx, opened).tx(async (tx) => {
    const { id, workspace_id, type, name } = opened.row
    const row = await store.lockSealed(tx.db, workspace_id, id)
    if (row === undefined) return
    await store.setRenewing(tx.db, id, null)
    if (!(error instanceof Problem) || error.declaration.status >= 500 || row.health === 'failing' || row.revision !== opened.row.revision)
      return
    await store.putHealth(tx.db, id, { status: 'failing', error: error.message.slice(0, 500), at: new Date(tx.now()).toISOString() })
    tx.emit(events.failed, { integration_id: id, type, name, error: error.message })
  })

/** The credentials of an integration with the token that its requests carry, where it has one. Errors: those of `accessToken`. */
export const withToken = async (ctx: Ctx, opened: Opened): Promise<Opened> =>
  opened.type.uses_tokens === true
    ? { ...opened, credentials: { ...opened.credentials, access_token: await accessToken(ctx, opened) } }
    : opened
