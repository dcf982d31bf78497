import { Type } from 'typebox'
import { jsonSize } from '../../lib/json-size.ts'
import { isJsonObject, type Json, type JsonObject } from '../../lib/json.ts'
import { redactChange } from '../../platform/redact.ts'
import { type CompiledVersion, compileInTurns } from '../compile.ts'
import type { Definition, DefinitionNode } from '../graph/definition.ts'
import type { TestCase } from '../graph/test-case.ts'
import { type NodeInput, type NodeType, pure, type EffectNode } from '../node.ts'
import { answered } from './answered.ts'
import { replyTo, resultOf } from './replies.ts'
import { skeletonOf } from './skeleton.ts'

/** What a test run executes: it stands in the run's first record, and so nothing that happens to the draft afterwards changes it. */
export interface Draft {
  /** Without its tests and pins. */
  readonly definition: Definition
  /** Outputs by node id, which are given without the node being run. */
  readonly pins: { readonly [node_id: string]: Json }
  /** What effects are answered with, by the path of their step. */
  readonly replies: NonNullable<TestCase['replies']>
  /** The last node; null: all of it is run. */
  readonly until_node: string | null
  /** Effects that are not answered are not done. */
  readonly dry_run: boolean
}

/** What a dry run would have done. */
export interface Dry extends JsonObject {
  readonly type: string
  /** The config as it was evaluated, without what its names say are credentials; null where it is too large to be shown. */
  readonly config: Json
}

const most_config_chars = 256 * 1024

export const compileDraft = (draft: Draft, nodeTypes: ReadonlyMap<string, NodeType>): Promise<CompiledVersion> => {
  const types = new Map(answered(nodeTypes, (type, input, io) => Promise.resolve(answerOf(draft, type, input, io))))
  const part = draft.until_node === null ? draft.definition : upTo(draft.definition, draft.until_node)
  return compileInTurns({ ...part, nodes: pinned(part.nodes, draft.pins, types) }, types)
}

const answerOf = (draft: Draft, type: EffectNode, input: NodeInput<never>, io: Parameters<typeof replyTo>[1]) => {
  const reply = replyTo(draft.replies, io)
  if (reply !== null) return resultOf(reply)
  if (!draft.dry_run || type.harmless === true) return null
  const stand_in = type.stand_in?.(input) ?? { output: skeletonOf(type.output), ...firstPort(type, input) }
  return { ...stand_in, dry: dryOf(type, input.config) }
}

const firstPort = ({ ports }: EffectNode, { config }: NodeInput<never>): { readonly port?: string } => {
  const [port] = typeof ports === 'function' ? ports(config) : (ports ?? [])
  return port === undefined ? {} : { port }
}

const dryOf = ({ type }: EffectNode, config: JsonObject): Dry => ({
  type,
  config: jsonSize(config, most_config_chars) === null ? null : (redactChange(config) as Json),
})

type Body = Pick<Definition, 'nodes' | 'edges'>

/** The node and all that comes before it. */
export const upTo = (definition: Definition, node_id: string): Definition => {
  const before = Map.groupBy(definition.edges, ({ to }) => to)
  const kept = new Set([node_id])
  const open = [node_id]
  for (let id = open.pop(); id !== undefined; id = open.pop())
    for (const { from } of before.get(id) ?? []) {
      if (kept.has(from)) continue
      kept.add(from)
      open.push(from)
    }
  return {
    ...definition,
    nodes: definition.nodes.filter(({ id }) => kept.has(id)),
    edges: definition.edges.filter(({ from, to }) => kept.has(to) && kept.has(from) && from !== node_id),
  }
}

/** Each node that has a pin gets a type of its own, which gives that, and leaves as the node would first of all. */
const pinned = (nodes: readonly DefinitionNode[], pins: Draft['pins'], types: Map<string, NodeType>): DefinitionNode[] =>
  nodes.map((node) => {
    const type = types.get(node.type)
    const { config = {} } = node
    if (type === undefined || type.kind === 'trigger' || node.disabled === true) return node
    if (Object.hasOwn(pins, node.id)) {
      const name = `pinned:${node.id}`
      types.set(name, pinnedType(name, type, config, pins[node.id] as Json))
      const { retry: _, ...rest } = node
      return { ...rest, type: name, config: {} }
    }
    const { body } = config
    if (type.kind !== 'region' || !isJsonObject(body)) return node
    const inner = pinned((body as unknown as Body).nodes, pins, types)
    return { ...node, config: { ...config, body: { ...body, nodes: inner as unknown as JsonObject[] } } }
  })

const pinnedType = (name: string, type: NodeType, config: JsonObject, output: Json): NodeType => {
  const ports = typeof type.ports === 'function' ? type.ports(config) : (type.ports ?? ['out'])
  const [port = 'out'] = ports
  const { title, description, icon } = type
  return pure({ type: name, title, description, icon, config: Type.Object({}), output: type.output, ports, run: () => ({ output, port }) })
}
