import { jsonDifferences, type JsonDifference } from '../../lib/json-differences.ts'
import { isJsonObject, type Json, type JsonObject } from '../../lib/json.ts'
import { atOnce, type Interruptible } from '../../lib/turns.ts'
import type { Definition, DefinitionEdge, DefinitionNode } from './definition.ts'

interface Named {
  readonly id: string
  readonly type: string
}

/** What became of one definition in another. Each list is empty where nothing did. */
export interface Comparison {
  readonly nodes: {
    readonly added: Named[]
    readonly removed: Named[]
    /** Paths into the node; `/loop` is the loop in whose body it stands. */
    readonly changed: { readonly id: string; readonly changes: JsonDifference[] }[]
  }
  readonly edges: { readonly added: DefinitionEdge[]; readonly removed: DefinitionEdge[] }
  readonly settings: JsonDifference[]
  readonly pins: JsonDifference[]
  readonly tests: {
    readonly added: string[]
    readonly removed: string[]
    readonly changed: { readonly name: string; readonly changes: JsonDifference[] }[]
  }
  /** Told only where nothing else differs: positions and the order of lists have no meaning. */
  readonly layout: { readonly moved: string[]; readonly reordered: boolean } | null
}

/** A definition without its drawing: the nodes of all loops beside each other, each knowing where it stands. */
interface Flat {
  readonly nodes: Map<string, JsonObject>
  readonly types: Map<string, string>
  readonly edges: Map<string, DefinitionEdge>
  readonly tests: Map<string, Json>
  readonly positions: Map<string, Json>
}

const flatten = function* (definition: Definition): Interruptible<Flat> {
  const flat: Flat = { nodes: new Map(), types: new Map(), edges: new Map(), tests: new Map(), positions: new Map() }
  yield* flattenBody(definition, null, flat)
  for (const test of definition.tests ?? []) flat.tests.set(test.name, test)
  return flat
}

const flattenBody = function* (body: Pick<Definition, 'nodes' | 'edges'>, loop: string | null, flat: Flat): Interruptible<void> {
  for (const node of body.nodes) {
    const { position, ...rest } = node
    const inner = bodyOf(node)
    const config = inner === null ? rest.config : { ...rest.config, body: {} }
    if (position !== undefined) flat.positions.set(node.id, position)
    const own = { ...rest, ...(config === undefined ? {} : { config }), ...(loop === null ? {} : { loop }) }
    flat.nodes.set(node.id, own)
    flat.types.set(node.id, node.type)
    if (inner !== null) yield* flattenBody(inner, node.id, flat)
    yield
  }
  for (const { from, port = 'out', to } of body.edges) flat.edges.set(JSON.stringify([from, port, to]), { from, port, to })
}

/** A draft may hold anything where a body belongs. */
const bodyOf = ({ config }: DefinitionNode): Pick<Definition, 'nodes' | 'edges'> | null => {
  const body = config?.['body']
  if (!isJsonObject(body) || !Array.isArray(body['nodes']) || !Array.isArray(body['edges'])) return null
  const sound = (part: Json, ...fields: readonly string[]): boolean =>
    isJsonObject(part) && fields.every((field) => typeof part[field] === 'string')
  const nodes = (body['nodes'] as readonly Json[]).every((node) => sound(node, 'id', 'type'))
  const edges = (body['edges'] as readonly Json[]).every((edge) => sound(edge, 'from', 'to'))
  return nodes && edges ? (body as unknown as Pick<Definition, 'nodes' | 'edges'>) : null
}

/** What is in one and not in the other, and what is in both and differs. */
const compareMaps = function* <T extends Json>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
): Interruptible<{ added: string[]; removed: string[]; changed: { key: string; changes: JsonDifference[] }[] }> {
  const changed: { key: string; changes: JsonDifference[] }[] = []
  for (const [key, value] of before) {
    const now = after.get(key)
    if (now === undefined) continue
    const changes = yield* jsonDifferences(value, now)
    if (changes.length > 0) changed.push({ key, changes })
    yield
  }
  return {
    added: [...after.keys()].filter((key) => !before.has(key)),
    removed: [...before.keys()].filter((key) => !after.has(key)),
    changed,
  }
}

/** What changes from one definition to the other. Neither need be without mistakes. */
export const comparing = function* (before: Definition, after: Definition): Interruptible<Comparison> {
  const [was, is] = [yield* flatten(before), yield* flatten(after)]
  const nodes = yield* compareMaps(was.nodes, is.nodes)
  const tests = yield* compareMaps(was.tests, is.tests)
  const named = (flat: Flat, ids: readonly string[]): Named[] => ids.map((id) => ({ id, type: flat.types.get(id) ?? '' }))
  const only = (one: Flat, other: Flat): DefinitionEdge[] => [...one.edges].flatMap(([key, edge]) => (other.edges.has(key) ? [] : [edge]))
  const found = {
    nodes: {
      added: named(is, nodes.added),
      removed: named(was, nodes.removed),
      changed: nodes.changed.map(({ key, changes }) => ({ id: key, changes })),
    },
    edges: { added: only(is, was), removed: only(was, is) },
    settings: yield* jsonDifferences(before.settings ?? {}, after.settings ?? {}),
    pins: yield* jsonDifferences(before.pins ?? {}, after.pins ?? {}),
    tests: {
      added: tests.added,
      removed: tests.removed,
      changed: tests.changed.map(({ key, changes }) => ({ name: key, changes })),
    },
  }
  return { ...found, layout: isEmpty(found) ? layoutOf(was, is) : null }
}

const isEmpty = ({ nodes, edges, settings, pins, tests }: Omit<Comparison, 'layout'>): boolean =>
  [nodes, edges, tests].every((part) => Object.values(part).every((list: readonly unknown[]) => list.length === 0)) &&
  settings.length === 0 &&
  pins.length === 0

const layoutOf = (was: Flat, is: Flat): Comparison['layout'] => {
  const moved = [...was.nodes.keys()].filter((id) => atOnce(jsonDifferences(was.positions.get(id), is.positions.get(id))).length > 0)
  const order = ({ nodes, edges, tests }: Flat): string => JSON.stringify([nodes, edges, tests].map((part) => [...part.keys()]))
  const reordered = order(was) !== order(is)
  return moved.length > 0 || reordered ? { moved, reordered } : null
}
