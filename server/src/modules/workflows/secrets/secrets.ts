import type { Ctx } from '../../../platform/context.ts'
import { requireRevision } from '../../../platform/http/etag.ts'
import { secrets as sealing } from '../../../platform/secrets.ts'
import { errors } from '../errors.ts'
import * as events from '../events.ts'
import { authorOf, nowOf, type Revised, workspaceOf } from '../workflows.ts'
import { openSecrets, sealingContext } from './open.ts'
import type { NewSecret, Secret, SecretChange } from './schema.ts'
import * as store from './store.ts'

/** As many as anybody needs, and few enough to keep in memory. */
const most_secrets = 1_000

/** Errors: 409 `workflows.secret_name_taken`, 409 `workflows.too_many_secrets`. */
export const create = (ctx: Ctx, input: NewSecret): Promise<Revised<Secret>> =>
  ctx.tx(async (tx) => {
    if ((await store.countSecrets(tx.db)) >= most_secrets) throw errors.too_many_secrets()
    const id = tx.newId()
    const row = await store.insertSecret(tx.db, {
      id,
      workspace_id: workspaceOf(tx),
      name: input.name,
      sealed: tx.use(sealing).seal(sealingContext(id), input.value),
      created_by: authorOf(tx),
      created_at: nowOf(tx),
    })
    if (row === undefined) throw errors.secret_name_taken()
    tx.emit(events.secretCreated, { secret_id: id, name: row.name }, { after: { name: row.name } })
    return row
  })

export const list = (ctx: Ctx, page: Parameters<typeof store.listSecrets>[1]): Promise<readonly Secret[]> => store.listSecrets(ctx.db, page)

export const count = (ctx: Ctx): Promise<number> => store.countSecrets(ctx.db)

/** Errors: 404 `workflows.secret_not_found`. */
export const get = async (ctx: Ctx, id: string): Promise<Revised<Secret>> => {
  const row = await store.secretById(ctx.db, id)
  if (row === undefined) throw errors.secret_not_found()
  const { sealed: _, previous: __, ...shown } = row
  return shown
}

/** A new value takes the place of the old one, which goes on counting for a while. Errors: 404, 412, 409 `workflows.secret_name_taken`. */
export const update = (ctx: Ctx, id: string, change: SecretChange, revision: number | null): Promise<Revised<Secret>> =>
  ctx.tx(async (tx) => {
    const before = await store.lockSecret(tx.db, id)
    if (before === undefined) throw errors.secret_not_found()
    requireRevision(before, revision)
    const { name, value, keep_previous_s = 86_400 } = change
    if (name !== undefined && name !== before.name && (await store.secretByName(tx.db, name)) !== undefined)
      throw errors.secret_name_taken()
    const until = keep_previous_s === 0 ? null : new Date(tx.now() + keep_previous_s * 1000).toISOString()
    const sealed = value === undefined ? {} : { sealed: tx.use(sealing).seal(sealingContext(id), value) }
    const previous = value === undefined ? {} : { previous: until === null ? null : before.sealed, previous_until: until }
    const row = await store.updateSecret(tx.db, id, { ...(name === undefined ? {} : { name }), ...sealed, ...previous }, nowOf(tx))
    const told = { secret_id: id, name: row.name, replaced: value !== undefined }
    tx.emit(events.secretUpdated, told, { before: { name: before.name }, after: { name: row.name, replaced: value !== undefined } })
    tx.afterCommit(() => tx.use(openSecrets).forget(id))
    return row
  })

/** Errors: 404, 412, 409 `workflows.secret_in_use` while a published webhook asks for it. */
export const remove = (ctx: Ctx, id: string, revision: number | null): Promise<void> =>
  ctx.tx(async (tx) => {
    const before = await store.lockSecret(tx.db, id)
    if (before === undefined) throw errors.secret_not_found()
    requireRevision(before, revision)
    if (await store.isUsed(tx.db, id)) throw errors.secret_in_use()
    await store.deleteSecret(tx.db, id)
    tx.emit(events.secretDeleted, { secret_id: id, name: before.name }, { before: { name: before.name } })
    tx.afterCommit(() => tx.use(openSecrets).forget(id))
  })
