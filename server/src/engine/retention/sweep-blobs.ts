import { sql } from 'kysely'
import { isUuid } from '../../lib/id.ts'
import type { App, Ctx } from '../../platform/context.ts'
import { blobStore } from '../../platform/blobs/blobs.ts'
import { all_executions, folderOf } from '../journal/large-records.ts'
import { retired_prefix } from './weeks.ts'

/** Executions looked for with one statement. */
const batch = 500

/** What is younger may be of an execution that is still being accepted: its file is there before its row, for as long as the database is away. */
const young_ms = 86_400_000

/** Of executions that are no more. Their rows go first: a record whose file is gone is worse than a file without a record. */
export const removeFolders = async (app: Pick<App, 'use'>, execution_ids: readonly string[]): Promise<void> => {
  const blobs = app.use(blobStore)
  if (blobs === null) return
  for (const id of execution_ids) await blobs.remove(folderOf(id))
}

/** Removes the large records of executions that are no more; answers of how many. */
export const sweepBlobs = async (ctx: Ctx): Promise<number> => {
  const blobs = ctx.use(blobStore)
  if (blobs === null) return 0
  let removed = 0
  for (const { name: shard } of await blobs.list(all_executions)) {
    const found = await blobs.list(`${all_executions}/${shard}`)
    const old = found.filter(({ name, changed_at }) => isUuid(name) && changed_at < ctx.now() - young_ms)
    for (let at = 0; at < old.length; at += batch) {
      ctx.signal.throwIfAborted()
      const gone = await withoutRow(
        ctx,
        old.slice(at, at + batch).map(({ name }) => name),
      )
      await removeFolders(ctx, gone)
      removed += gone.length
    }
  }
  return removed
}

/**
 * Those that are in no table. While a week is taken out of the journal some of its executions are in neither, and may be put back: then none
 * is said to be gone. One statement sees both as of one moment.
 */
const withoutRow = async (ctx: Ctx, ids: readonly string[]): Promise<readonly string[]> => {
  const { rows } = await ctx.tx((tx) =>
    sql<{ id: string }>`
      select f.id
      from unnest(${[...ids]}::uuid[]) as f (id)
      left join executions as e on e.id = f.id and e.id = any(${[...ids]}::uuid[])
      where e.id is null
        and not exists (
          select
          from pg_class
          where relnamespace = 'public'::regnamespace and relkind = 'r' and starts_with(relname, ${retired_prefix})
        )`.execute(tx.db),
  )
  return rows.map(({ id }) => id)
}
