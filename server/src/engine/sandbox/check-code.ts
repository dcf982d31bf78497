import { isJsonObject, type Json, type JsonObject } from '../../lib/json.ts'
import type { Problem } from '../graph/problem.ts'
import type { Pool } from './pool.ts'

/** For a thread and for the parser together; somebody waits for the answer. */
const longest_wait_ms = 5_000

const beginning = 'it begins with `export default (input) =>`'
/** What every program has somewhere. One that has it in a comment alone fails when it runs. */
const mentionsExport = /\bexport\b[^]*\bdefault\b/

interface Found {
  readonly node_id: string | null
  readonly path: string
  readonly source: string
}

/** The programs of a definition, those in bodies of loops included. */
const programsOf = (nodes: Json | undefined, path: string): readonly Found[] => {
  if (!Array.isArray(nodes)) return []
  return (nodes as readonly Json[]).flatMap((node, index) => {
    if (!isJsonObject(node) || !isJsonObject(node['config'])) return []
    const { id, type, config } = node as { readonly id?: Json; readonly type?: Json; readonly config: JsonObject }
    const at = `${path}/${index}/config`
    const { source, body } = config
    const own =
      type === 'data.code' && typeof source === 'string'
        ? [{ node_id: typeof id === 'string' ? id : null, path: `${at}/source`, source }]
        : []
    return [...own, ...(isJsonObject(body) ? programsOf(body['nodes'], `${at}/body/nodes`) : [])]
  })
}

/**
 * Mistakes of syntax in the programs of a definition, with their place. They are parsed in the sandbox, as they are run: whatever a text does to a
 * parser, it does there. What there is no time for is not checked, and fails when it runs.
 */
export const codeProblems = async (
  pool: Pool,
  definition: JsonObject,
  caller: { readonly workspace_id: string; readonly signal: AbortSignal },
): Promise<readonly Problem[]> => {
  const programs = programsOf(definition['nodes'], '/nodes')
  if (programs.length === 0) return []
  const sources = [...new Set(programs.map(({ source }) => source))]
  // In a line of its own, so that it does not wait for the workspace's long programs.
  const own = {
    workspace_id: `check:${caller.workspace_id}`,
    signal: AbortSignal.any([AbortSignal.timeout(longest_wait_ms), caller.signal]),
  }
  const faults = await pool.parse(sources, own)
  const faultOf = new Map(sources.map((source, index) => [source, faults[index]]))
  return programs.flatMap(({ node_id, path, source }): readonly Problem[] => {
    const fault = faultOf.get(source)
    const at = { ...(node_id === null ? {} : { node_id }), path }
    const exported = mentionsExport.test(source)
    if (!fault) return exported ? [] : [{ ...at, severity: 'warning', message: `The program exports no function: ${beginning}` }]
    const where = fault.place === null ? '' : ` (line ${fault.place.line}, column ${fault.place.column})`
    return [{ ...at, severity: 'error', message: fault.message + where + (exported ? '' : `; ${beginning}`) }]
  })
}
