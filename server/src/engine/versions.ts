import type { TxCtx } from '../platform/context.ts'
import type { Run } from '../platform/database/dialect.ts'
import { type CompiledVersion, compileInTurns } from './compile.ts'
import { errors } from './errors.ts'
import type { Definition } from './graph/definition.ts'
import { numbersOf } from './graph/limits.ts'
import type { NodeType } from './node.ts'
import { compileDraft, type Draft } from './rehearsal/draft.ts'

/** The published versions that this process has compiled. */
export interface Versions {
  /** From memory when it is there; a draft, which one execution alone runs, is never kept. Throws or rejects with `engine.unknown_version`, or `database.unavailable` after some seconds without a database. */
  readonly get: (workflow_id: string, version: number, draft?: Draft) => CompiledVersion | Promise<CompiledVersion>
}

/** Compiled versions kept in memory; the one that was used longest ago makes room. `bytes` as JSON; compiled it is some ten times as much. */
const kept = { versions: 2_000, bytes: 32 * 1024 * 1024 }

interface Kept {
  readonly made: CompiledVersion
  readonly bytes: number
}

export const openVersions = (options: {
  readonly read: Run
  readonly nodeTypes: ReadonlyMap<string, NodeType>
  /** Those of the program itself, which are stored nowhere, by the id that stands for a workflow's. */
  readonly own: ReadonlyMap<string, { readonly version: CompiledVersion }>
}): Versions => {
  const compiled = new Map<string, Kept>()
  let bytes = 0
  const loading = new Map<string, Promise<CompiledVersion>>()

  const load = async (key: string, workflow_id: string, version: number): Promise<CompiledVersion> => {
    const [row] = await options.read(
      'select definition, octet_length(definition::text) as bytes from engine_versions where workflow_id = $1 and version = $2',
      [workflow_id, version],
    )
    if (row === undefined) throw errors.unknown_version()
    const made = await compileInTurns(row['definition'] as Definition, options.nodeTypes)
    compiled.set(key, { made, bytes: row['bytes'] as number })
    bytes += row['bytes'] as number
    while (compiled.size > 1 && (compiled.size > kept.versions || bytes > kept.bytes)) {
      const [oldest, { bytes: freed }] = compiled.entries().next().value as [string, Kept]
      compiled.delete(oldest)
      bytes -= freed
    }
    return made
  }

  return {
    get: (workflow_id, version, draft) => {
      if (draft !== undefined) return compileDraft(draft, options.nodeTypes)
      const key = `${workflow_id}/${version}`
      const found = compiled.get(key)
      if (found !== undefined) {
        if (compiled.size > kept.versions / 2 || bytes > kept.bytes / 2) {
          compiled.delete(key)
          compiled.set(key, found)
        }
        return found.made
      }
      const own = options.own.get(workflow_id)
      if (own !== undefined) return own.version
      const running = loading.get(key) ?? load(key, workflow_id, version).finally(() => loading.delete(key))
      loading.set(key, running)
      return running
    },
  }
}

export const insertVersion = async (
  tx: TxCtx,
  input: { readonly workflow_id: string; readonly version: number; readonly definition: Definition },
): Promise<void> => {
  if (tx.workspace_id === null) throw new Error('a version belongs to a workspace')
  const written = await tx.db
    .insertInto('engine_versions')
    .values({
      workflow_id: input.workflow_id,
      version: input.version,
      workspace_id: tx.workspace_id,
      definition: input.definition,
      retention_days: input.definition.settings?.retention_days ?? null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (written.numInsertedOrUpdatedRows !== 1n) throw errors.version_exists()
  await keepLimits(tx, { ...input, workspace_id: tx.workspace_id })
}

/** The limits of the newest version are those that count. */
const keepLimits = async (
  tx: TxCtx,
  input: { readonly workspace_id: string; readonly workflow_id: string; readonly version: number; readonly definition: Definition },
): Promise<void> => {
  const { workspace_id, workflow_id, version, definition } = input
  const numbers = numbersOf(definition.settings ?? {})
  if (numbers === null) {
    await tx.db
      .updateTable('engine_limits')
      .set({ version, concurrency: null, rate: null, per_ms: null })
      .where('workflow_id', '=', workflow_id)
      .where('version', '<', version)
      .execute()
    return
  }
  await tx.db
    .insertInto('engine_limits')
    .values({ workflow_id, workspace_id, version, ...numbers })
    .onConflict((conflict) =>
      conflict
        .column('workflow_id')
        .doUpdateSet({ version, ...numbers })
        .where('engine_limits.version', '<', version),
    )
    .execute()
}
