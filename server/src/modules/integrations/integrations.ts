import { isDeepStrictEqual } from 'node:util'
import type { Ctx, TxCtx } from '../../platform/context.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import { requireRevision } from '../../platform/http/etag.ts'
import { secrets } from '../../platform/secrets.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import type { Integration, IntegrationChange, NewIntegration } from './schema.ts'
import * as store from './store.ts'
import type { IntegrationType } from './type.ts'
import { typeOf, types } from './types.ts'

/** With the revision that becomes its ETag. */
export type Revised<T> = T & { readonly revision: number }

type Credentials = { readonly [field: string]: string }

/** So many in a workspace. */
const most = 200

export const workspaceOf = (ctx: Ctx): string => {
  if (ctx.workspace_id === null) throw httpErrors.forbidden({ detail: 'This needs a workspace.' })
  return ctx.workspace_id
}

export const nowOf = (ctx: Ctx): string => new Date(ctx.now()).toISOString()

/** What credentials and tokens are sealed for: in another row they do not open. */
const credentialsOf = (id: string): string => `integrations/${id}/credentials`

export const openCredentials = async (ctx: Ctx, row: store.SealedRow): Promise<Credentials> =>
  JSON.parse(await ctx.use(secrets).open(credentialsOf(row.id), row.credentials)) as Credentials

const requireType = (name: string): IntegrationType => {
  const type = typeOf(name)
  if (type === undefined)
    throw errors.unknown_type({ errors: [{ path: 'type', message: `must be one of ${types.map(({ type: known }) => known).join(', ')}` }] })
  return type
}

const shown = (row: store.IntegrationRow): Revised<Integration> => ({
  id: row.id,
  workspace_id: row.workspace_id,
  type: row.type,
  name: row.name,
  config: row.config,
  credential_fields: row.credential_fields,
  connected: typeOf(row.type)?.needs_consent?.(row.config) === true ? row.has_tokens : null,
  health: { status: row.health, checked_at: row.health_checked_at, error: row.health_error },
  last_used_at: row.last_used_at,
  created_by: row.created_by,
  created_at: row.created_at,
  updated_at: row.updated_at,
  revision: row.revision,
})

export const about = ({ id, type, name }: Pick<store.IntegrationRow, 'id' | 'type' | 'name'>) => ({ integration_id: id, type, name })

const told = ({ name, config, credential_fields, revision }: store.IntegrationRow) => ({ name, config, credential_fields, revision })

/**
 * Stores a connection to a service, its credentials sealed. Errors: 422 `integrations.unknown_type`, 422 `http.validation_failed` for a
 * configuration or credentials that do not fit the type, 409 `integrations.limit`.
 */
export const create = (ctx: Ctx, input: NewIntegration): Promise<Revised<Integration>> => {
  const type = requireType(input.type)
  const config = { ...input.config }
  const credentials = { ...input.credentials }
  type.validate({ config, credentials })
  return ctx.tx(async (tx) => {
    if ((await store.count(tx.db, {})) >= most) throw errors.limit()
    const id = tx.newId()
    const row = await store.insert(tx.db, {
      ...{ id, workspace_id: workspaceOf(tx), type: type.type, name: input.name, config },
      credentials: tx.use(secrets).seal(credentialsOf(id), JSON.stringify(credentials)),
      credential_fields: Object.keys(credentials).toSorted(),
      created_by: tx.actor.type === 'user' ? tx.actor.user_id : null,
      created_at: nowOf(tx),
    })
    tx.emit(events.created, about(row), { after: told(row) })
    return shown(row)
  })
}

export const list = async (
  ctx: Ctx,
  filter: store.Filter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly Integration[]> => (await store.list(ctx.db, filter, page)).map(shown)

export const count = (ctx: Ctx, filter: store.Filter): Promise<number> => store.count(ctx.db, filter)

/** Errors: 404 `integrations.not_found`. */
export const get = async (ctx: Ctx, id: string): Promise<Revised<Integration>> => {
  const row = await store.byId(ctx.db, id)
  if (row === undefined) throw errors.not_found()
  return shown(row)
}

/** What those of these ids are that the caller's workspace has. */
export const typesOf = async (
  ctx: Ctx,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly type: string; readonly name: string }>> =>
  new Map((ids.length === 0 ? [] : await store.typesByIds(ctx.db, ids)).map(({ id, type, name }) => [id, { type, name }]))

/** Locks one for a change. Errors: 404, 412 when it is not at `revision` (null: any). */
export const lock = async (tx: TxCtx, id: string, revision: number | null): Promise<store.SealedRow> => {
  const row = await store.lockSealed(tx.db, workspaceOf(tx), id)
  if (row === undefined) throw errors.not_found()
  requireRevision(row, revision)
  return row
}

/** Where credentials may go under a configuration. */
const reachOf = (type: IntegrationType, config: store.IntegrationRow['config']): readonly string[] => [
  ...type.hosts(config),
  ...(type.elsewhere?.(config) ?? []),
]

/** Whoever may change an integration need not know its credentials, and must not get to by pointing it at a server of their own. */
const requireKnowledge = (
  type: IntegrationType,
  before: store.SealedRow,
  config: store.IntegrationRow['config'],
  given: readonly string[],
) => {
  const known = new Set(reachOf(type, before.config))
  const further = reachOf(type, config).filter((place) => !known.has(place))
  const missing = before.credential_fields.filter((field) => !given.includes(field))
  // What a service gave out after somebody's consent is dropped with the change, so it is not asked for.
  if (further.length === 0 || missing.length === 0) return
  throw errors.credentials_required({
    detail: `The credentials would go to ${further.join(', ')}. Give them again: ${missing.join(', ')}.`,
    errors: missing.map((field) => ({ path: `credentials.${field}`, message: 'is required, because the credentials would go elsewhere' })),
  })
}

const merged = (stored: Credentials, change: NonNullable<IntegrationChange['credentials']>): Credentials => {
  const all = { ...stored, ...change }
  return Object.fromEntries(Object.entries(all).flatMap(([field, value]): [string, string][] => (value === null ? [] : [[field, value]])))
}

/**
 * Changes the given fields; credentials that are not given stay. Errors: 404, 412, 422 `integrations.credentials_required` when stored
 * credentials would go elsewhere, 422 `http.validation_failed`.
 */
export const update = (ctx: Ctx, id: string, change: IntegrationChange, revision: number | null): Promise<Revised<Integration>> =>
  ctx.tx(async (tx) => {
    const before = await lock(tx, id, revision)
    const type = requireType(before.type)
    const stored = await openCredentials(tx, before)
    const config = { ...(change.config ?? before.config) }
    const credentials = merged(stored, change.credentials ?? {})
    if (change.config !== undefined || change.credentials !== undefined) type.validate({ config, credentials })
    requireKnowledge(type, before, config, Object.keys(change.credentials ?? {}))
    const afresh = change.credentials !== undefined || !isDeepStrictEqual(config, before.config)
    const row = await store.update(
      tx.db,
      id,
      {
        ...(change.name === undefined ? {} : { name: change.name }),
        ...(change.config === undefined ? {} : { config }),
        ...(change.credentials === undefined
          ? {}
          : {
              credentials: tx.use(secrets).seal(credentialsOf(id), JSON.stringify(credentials)),
              credential_fields: Object.keys(credentials).toSorted(),
            }),
      },
      afresh,
      nowOf(tx),
    )
    tx.emit(events.updated, { ...about(row), fields: Object.keys(change) }, { before: told(before), after: told(row) })
    return shown(row)
  })

/** What needs it to work, of all modules. */
const usedBy = async (ctx: Ctx, id: string) =>
  (await Promise.all(ctx.modules.flatMap(({ usersOfIntegration }) => (usersOfIntegration ? [usersOfIntegration(ctx, id)] : [])))).flat()

/** Removes it with its credentials. Errors: 404, 412, 409 `integrations.in_use` unless `force` is set. */
export const remove = (ctx: Ctx, id: string, force: boolean, revision: number | null): Promise<void> =>
  ctx.tx(async (tx) => {
    const row = await lock(tx, id, revision)
    const used_by = force ? [] : await usedBy(tx, id)
    if (used_by.length > 0)
      throw errors.in_use({
        detail: `Used by ${used_by.map(({ name }) => name).join(', ')}.`,
        extra: { used_by: used_by.map(({ id: workflow_id, name }) => ({ workflow_id, name })) },
      })
    await store.remove(tx.db, id)
    tx.emit(events.deleted, about(row), { before: told(row) })
  })

/** Every type, as a form needs it. */
export const describeTypes = () =>
  types.map(({ type, title, doc, config, credentials, sign, needs_consent }) => ({
    ...{ type, title, doc, config, credentials },
    needs_consent: needs_consent !== undefined,
    in_requests: sign !== undefined,
  }))
