import type { Definition, DefinitionNode, OnError, Retry } from './definition.ts'

export type NodeKind = 'trigger' | 'pure' | 'effect' | 'merge' | 'region'
/** How a region goes on: once for each item, or while a condition holds. */
export type Repeats = 'each' | 'while'
export type MergeMode = 'all' | 'first'

/** What the graph must know of a node beyond its definition; the node's type says it. */
export interface NodeShape {
  /** Ports besides `error`, the one it normally leaves through first. */
  readonly ports: readonly string[]
  readonly kind: NodeKind
  readonly merge_mode?: MergeMode
  /** Regions only: what they repeat, and how. */
  readonly region?: { readonly repeats: Repeats; readonly body: Graph }
}

export interface GraphEdge {
  readonly index: number
  readonly from: number
  readonly port: string
  readonly to: number
}

export interface GraphNode {
  readonly index: number
  readonly id: string
  readonly kind: NodeKind
  readonly ports: readonly string[]
  /** Merges only. */
  readonly merge_mode: MergeMode | null
  /** Regions only. */
  readonly region: { readonly repeats: Repeats; readonly body: Graph } | null
  /** Does no work of its own: the plan itself says what it passes on. */
  readonly passes_through: boolean
  readonly disabled: boolean
  readonly retry: Retry | null
  readonly timeout_ms: number | null
  readonly on_error: OnError
  readonly ins: readonly GraphEdge[]
  readonly outs: readonly GraphEdge[]
}

/** A checked definition, indexed for planning. Immutable; one serves all executions of a version. */
export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly index: ReadonlyMap<string, number>
  readonly edge_count: number
  /** Incoming edges per node, as each execution starts from. */
  readonly in_counts: readonly number[]
  readonly timeout_ms: number | null
  /** No node of it does more than compute, or waits: it can be run again from its beginning, and nobody could tell. */
  readonly pure: boolean
}

const isPure = ({ kind, passes_through, retry, region }: GraphNode): boolean =>
  passes_through || (kind === 'pure' && retry === null) || (region !== null && region.body.pure)

/**
 * Indexes a definition. It must have passed the check: an edge to a node that is not there is a fault of the program.
 * Cost: nodes + edges.
 */
export const buildGraph = (
  definition: Pick<Definition, 'nodes' | 'edges' | 'settings'>,
  shape: (node: DefinitionNode) => NodeShape,
): Graph => {
  const index = new Map(definition.nodes.map((node, position) => [node.id, position]))
  const find = (id: string): number => {
    const found = index.get(id)
    if (found === undefined) throw new Error(`The definition has an edge to "${id}", which is not a node`)
    return found
  }
  const ins: GraphEdge[][] = definition.nodes.map(() => [])
  const outs: GraphEdge[][] = definition.nodes.map(() => [])
  definition.edges.forEach((edge, position) => {
    const made: GraphEdge = { index: position, from: find(edge.from), port: edge.port ?? 'out', to: find(edge.to) }
    outs[made.from]?.push(made)
    ins[made.to]?.push(made)
  })
  const nodes = definition.nodes.map((node, position): GraphNode => {
    const { kind, ports, merge_mode, region = null } = shape(node)
    return {
      index: position,
      id: node.id,
      kind,
      ports,
      merge_mode: kind === 'merge' ? (merge_mode ?? 'all') : null,
      region,
      passes_through: kind === 'merge' || node.disabled === true,
      disabled: node.disabled === true,
      retry: node.retry ?? null,
      timeout_ms: node.timeout_ms ?? null,
      on_error: node.on_error ?? 'fail',
      ins: ins[position] ?? [],
      outs: outs[position] ?? [],
    }
  })
  return {
    nodes,
    index,
    edge_count: definition.edges.length,
    in_counts: nodes.map((node) => node.ins.length),
    timeout_ms: definition.settings?.timeout_ms ?? null,
    pure: nodes.every(isPure),
  }
}
