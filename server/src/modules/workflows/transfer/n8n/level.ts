import type { DefinitionEdge, DefinitionNode } from '../../../../engine/graph/definition.ts'
import type { N8nNode } from './file.ts'
import type { Place } from './javascript/names.ts'
import type { Port } from './site.ts'

/** Which output of a choice has to be taken for something to run; a chain, the nearest first. */
export interface Condition {
  readonly node: N8nNode
  readonly output: number
  readonly outer: Condition | null
}

/** What one output of a node gives, as it is seen at one level. */
export interface Out {
  readonly level: Level
  /** What leads on from it; none at the beginning of a body. */
  readonly from: readonly Port[]
  readonly place: Place
  readonly many: boolean
  readonly condition: Condition | null
}

/** Nodes and edges that are made: of the whole, or of a body. */
export interface Level {
  readonly nodes: DefinitionNode[]
  readonly edges: DefinitionEdge[]
  readonly connected: Set<string>
  readonly outer: Level | null
}

export const openLevel = (outer: Level | null): Level => ({ nodes: [], edges: [], connected: new Set(), outer })

export const connect = (level: Level, from: readonly Port[], to: string): void => {
  for (const { step, port } of from) {
    const edge = `${step} ${port} ${to}`
    if (level.connected.has(edge)) continue
    level.connected.add(edge)
    level.edges.push(port === 'out' ? { from: step, to } : { from: step, port, to })
  }
}

const chain = (condition: Condition | null): readonly Condition[] => {
  const links: Condition[] = []
  for (let at = condition; at !== null; at = at.outer) links.push(at)
  return links
}

/** Of two that are exclusive at most one is taken. */
export const exclusive = (a: Condition | null, b: Condition | null): boolean => {
  const wanted = new Map(chain(a).map(({ node, output }) => [node, output]))
  return chain(b).some(({ node, output }) => wanted.has(node) && wanted.get(node) !== output)
}

export const allExclusive = (conditions: readonly (Condition | null)[]): boolean =>
  conditions.every((one, index) => conditions.slice(index + 1).every((other) => exclusive(one, other)))

/** What holds wherever one of them was taken. */
export const common = (conditions: readonly (Condition | null)[]): Condition | null => {
  const [first = null, ...rest] = conditions
  if (rest.every((condition) => condition === first)) return first
  const others = rest.map((condition) => new Map(chain(condition).map(({ node, output }) => [node, output])))
  return chain(first)
    .filter(({ node, output }) => others.every((other) => other.get(node) === output))
    .reduceRight<Condition | null>((outer, { node, output }) => ({ node, output, outer }), null)
}

/** The ports that a step may leave through, the usual one first. */
export const portsOf = ({ type, config, on_error }: Level['nodes'][number]): readonly string[] => {
  const failed = on_error === 'error' ? ['error'] : []
  if (type === 'flow.stop') return []
  if (type === 'flow.if') return ['true', 'false', ...failed]
  if (type === 'flow.switch')
    return [...((config?.['cases'] ?? []) as readonly { readonly port: string }[]).map(({ port }) => port), 'otherwise', ...failed]
  return ['out', ...failed]
}
