import type { TxCtx } from '../platform/context.ts'
import type { Run } from '../platform/database/dialect.ts'
import { type CompiledVersion, compileVersion } from './compile.ts'
import { errors } from './errors.ts'
import type { Definition } from './graph/definition.ts'
import type { NodeType } from './node.ts'

/** The published versions that this process has compiled. */
export interface Versions {
  /** From memory when it is there. Throws or rejects with `engine.unknown_version`, or `database.unavailable` after some seconds without a database. */
  readonly get: (workflow_id: string, version: number) => CompiledVersion | Promise<CompiledVersion>
}

/** Compiled versions kept in memory; the one that was used longest ago makes room. */
const kept = 2_000

export const openVersions = (options: { readonly read: Run; readonly nodeTypes: ReadonlyMap<string, NodeType> }): Versions => {
  const compiled = new Map<string, CompiledVersion>()
  const loading = new Map<string, Promise<CompiledVersion>>()

  const load = async (key: string, workflow_id: string, version: number): Promise<CompiledVersion> => {
    const [row] = await options.read('select definition from engine_versions where workflow_id = $1 and version = $2', [
      workflow_id,
      version,
    ])
    if (row === undefined) throw errors.unknown_version()
    const made = compileVersion(row['definition'] as Definition, options.nodeTypes)
    compiled.set(key, made)
    if (compiled.size > kept) compiled.delete(compiled.keys().next().value as string)
    return made
  }

  return {
    get: (workflow_id, version) => {
      const key = `${workflow_id}/${version}`
      const found = compiled.get(key)
      if (found !== undefined) {
        if (compiled.size > kept / 2) {
          compiled.delete(key)
          compiled.set(key, found)
        }
        return found
      }
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
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if (written.numInsertedOrUpdatedRows !== 1n) throw errors.version_exists()
}
