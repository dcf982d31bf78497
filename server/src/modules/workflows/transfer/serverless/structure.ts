import type { DefinitionEdge, DefinitionNode } from '../../../../engine/graph/definition.ts'

/** A graph as nested blocks: what a language without free edges can say. */
export type Block = readonly Part[]

export type Part =
  | { readonly kind: 'step'; readonly node: DefinitionNode }
  /** Goes on through one port of the step before it. */
  | { readonly kind: 'choice'; readonly node: DefinitionNode; readonly ports: readonly { readonly port: string; readonly block: Block }[] }
  /** All at the same time. */
  | { readonly kind: 'fork'; readonly name: string; readonly branches: readonly Block[] }

interface Graph {
  readonly nodes: ReadonlyMap<string, DefinitionNode>
  readonly outs: ReadonlyMap<string, readonly DefinitionEdge[]>
  /** The node that all ways from a node come to; null: they end. */
  readonly after: ReadonlyMap<string, string | null>
  readonly depth: ReadonlyMap<string, number>
}

const outsOf = (edges: readonly DefinitionEdge[]): Map<string, DefinitionEdge[]> => {
  const outs = new Map<string, DefinitionEdge[]>()
  for (const edge of edges) outs.set(edge.from, [...(outs.get(edge.from) ?? []), edge])
  return outs
}

/** Ids so that each comes after what it leads to. */
const backwards = (nodes: readonly DefinitionNode[], outs: ReadonlyMap<string, readonly DefinitionEdge[]>): readonly string[] => {
  const waiting = new Map(nodes.map(({ id }) => [id, (outs.get(id) ?? []).length]))
  const before = new Map<string, string[]>()
  for (const [from, edges] of outs) for (const { to } of edges) before.set(to, [...(before.get(to) ?? []), from])
  const order = nodes.filter(({ id }) => waiting.get(id) === 0).map(({ id }) => id)
  for (const id of order) {
    for (const from of before.get(id) ?? []) {
      const left = (waiting.get(from) ?? 0) - 1
      waiting.set(from, left)
      if (left === 0) order.push(from)
    }
  }
  return order
}

const meet = (a: string | null, b: string | null, graph: Graph): string | null => {
  let [one, other] = [a, b]
  while (one !== other) {
    const [deep_one, deep_other]: [number, number] = [
      one === null ? 0 : (graph.depth.get(one) ?? 0),
      other === null ? 0 : (graph.depth.get(other) ?? 0),
    ]
    if (deep_one >= deep_other && one !== null) one = graph.after.get(one) ?? null
    else if (other !== null) other = graph.after.get(other) ?? null
  }
  return one
}

const openGraph = (nodes: readonly DefinitionNode[], edges: readonly DefinitionEdge[]): Graph => {
  const outs = outsOf(edges)
  const after = new Map<string, string | null>()
  const depth = new Map<string, number>()
  const graph: Graph = { nodes: new Map(nodes.map((node) => [node.id, node])), outs, after, depth }
  for (const id of backwards(nodes, outs)) {
    const targets = (outs.get(id) ?? []).map(({ to }) => to)
    const [first = null, ...rest] = targets
    const found = rest.reduce<string | null>((met, to) => meet(met, to, graph), first)
    after.set(id, found)
    depth.set(id, found === null ? 1 : (depth.get(found) ?? 0) + 1)
  }
  return graph
}

interface Walk {
  readonly graph: Graph
  readonly placed: Set<string>
  /** Nodes that ways lead to from several blocks. */
  readonly tangled: Set<string>
  readonly chooses: (node: DefinitionNode) => boolean
  /** Where branches that run at the same time come together. */
  readonly joins: Set<string>
}

/** Where the ways from here come together, within the block that ends at `stop`. */
const joinOf = (id: string, stop: string | null, { graph }: Walk): string | null => {
  const join = graph.after.get(id) ?? null
  for (let at: string | null = join; at !== null; at = graph.after.get(at) ?? null) if (at === stop) return join
  return stop === null ? join : stop
}

const targetsOf = (edges: readonly DefinitionEdge[]): readonly string[] => [...new Set(edges.map(({ to }) => to))]

const blockFrom = (targets: readonly string[], stop: string | null, walk: Walk, name: string): Part[] => {
  const [only] = targets
  if (targets.length === 0 || (targets.length === 1 && only === stop)) return []
  if (targets.length === 1 && only !== undefined) return blockAt(only, stop, walk)
  let join: string | null = targets[0] ?? null
  for (const target of targets.slice(1)) join = meet(join, target, walk.graph)
  const inside = within(join, stop, walk)
  const branches = targets.filter((target) => target !== inside).map((target) => blockAt(target, inside, walk))
  if (inside !== null) walk.joins.add(inside)
  const fork: Part = { kind: 'fork', name, branches }
  return inside === null || inside === stop ? [fork] : [fork, ...blockAt(inside, stop, walk)]
}

const within = (join: string | null, stop: string | null, { graph }: Walk): string | null => {
  for (let at = join; at !== null; at = graph.after.get(at) ?? null) if (at === stop) return join
  return stop === null ? join : stop
}

const blockAt = (start: string, stop: string | null, walk: Walk): Part[] => {
  const { graph, placed, tangled } = walk
  const parts: Part[] = []
  for (let id: string | null = start; id !== null && id !== stop;) {
    const node = graph.nodes.get(id)
    if (node === undefined) return parts
    if (placed.has(id)) {
      tangled.add(id)
      return parts
    }
    placed.add(id)
    const edges = graph.outs.get(id) ?? []
    if (!walk.chooses(node)) {
      parts.push({ kind: 'step', node })
      const targets = targetsOf(edges)
      if (targets.length > 1) return [...parts, ...blockFrom(targets, stop, walk, id)]
      id = targets[0] ?? null
      continue
    }
    const join = joinOf(id, stop, walk)
    const ports = [...new Set(edges.map(({ port = 'out' }) => port))]
    parts.push({
      kind: 'choice',
      node,
      ports: ports.map((port) => ({
        port,
        block: blockFrom(targetsOf(edges.filter((edge) => (edge.port ?? 'out') === port)), join, walk, `${id}_${port}`),
      })),
    })
    id = join
  }
  return parts
}

/** The blocks from these nodes on. `tangled`: nodes that make it impossible. */
export const structured = (
  { nodes, edges }: { readonly nodes: readonly DefinitionNode[]; readonly edges: readonly DefinitionEdge[] },
  starts: readonly string[],
  chooses: (node: DefinitionNode) => boolean,
): { readonly block: Block; readonly tangled: readonly string[]; readonly joins: ReadonlySet<string> } => {
  const walk: Walk = { graph: openGraph(nodes, edges), placed: new Set(), tangled: new Set(), chooses, joins: new Set() }
  const block = blockFrom(starts, null, walk, 'start')
  return { block, tangled: [...walk.tangled], joins: walk.joins }
}
