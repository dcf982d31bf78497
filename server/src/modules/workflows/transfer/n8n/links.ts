import type { Interruptible } from '../../../../lib/turns.ts'
import type { Link, N8nFile, N8nNode } from './file.ts'

export const splits = 'splitInBatches'

export interface Flow {
  readonly nodes: readonly N8nNode[]
  readonly outs: ReadonlyMap<N8nNode, readonly Link[]>
  readonly ins: ReadonlyMap<N8nNode, readonly Link[]>
  /** The nodes that a loop over batches repeats, those of loops within it included. */
  readonly bodies: ReadonlyMap<N8nNode, ReadonlySet<N8nNode>>
}

/** Outputs of a loop over batches, whatever the version calls them. */
export const loop_port = 1
export const done_port = 0

const grouped = (links: readonly Link[], side: 'from' | 'to'): Map<N8nNode, Link[]> => {
  const groups = new Map<N8nNode, Link[]>()
  for (const link of links) {
    const group = groups.get(link[side])
    if (group === undefined) groups.set(link[side], [link])
    else group.push(link)
  }
  return groups
}

/** Before version 3 the only output was the loop, and an If asked whether there was anything left. */
const modern = (file: N8nFile): readonly Link[] => {
  const old = new Set(file.nodes.filter(({ kind, version }) => kind === splits && version < 3))
  if (old.size === 0) return file.links
  const asks = new Map<N8nNode, N8nNode>()
  for (const node of file.nodes) {
    const said = node.kind === 'if' ? JSON.stringify(node.parameters) : ''
    if (!said.includes('noItemsLeft')) continue
    const loop = [...old].find(({ name }) => said.includes(name)) ?? [...old][0]
    if (loop !== undefined) asks.set(node, loop)
  }
  return file.links.flatMap((link): readonly Link[] => {
    const { from, to, output } = link
    if (old.has(from) && !asks.has(to)) return [{ ...link, output: loop_port }]
    const asked_to = asks.get(to)
    if (asked_to !== undefined) return from === asked_to ? [] : [{ ...link, to: asked_to, input: 0 }]
    const asked_from = asks.get(from)
    if (asked_from === undefined) return [link]
    return output === 0 ? [{ ...link, from: asked_from, output: done_port }] : []
  })
}

const reach = (starts: readonly N8nNode[], next: (node: N8nNode) => readonly N8nNode[], stop: N8nNode): Set<N8nNode> => {
  const seen = new Set<N8nNode>()
  const open = starts.filter((node) => node !== stop)
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue
    seen.add(node)
    for (const each of next(node)) if (each !== stop && !seen.has(each)) open.push(each)
  }
  return seen
}

const bodyOf = (loop: N8nNode, outs: Flow['outs'], ins: Flow['ins']): Set<N8nNode> => {
  const after = (node: N8nNode): readonly N8nNode[] => (outs.get(node) ?? []).map(({ to }) => to)
  const before = (node: N8nNode): readonly N8nNode[] => (ins.get(node) ?? []).map(({ from }) => from)
  const from = (port: number): N8nNode[] => (outs.get(loop) ?? []).filter(({ output }) => output === port).map(({ to }) => to)
  const forward = reach(from(loop_port), after, loop)
  const back = reach(before(loop), before, loop)
  const done = reach(from(done_port), after, loop)
  // What leads back, and what hangs on that alone.
  const body = new Set([...forward].filter((node) => back.has(node)))
  const beside = [...forward].filter((node) => !body.has(node) && !done.has(node))
  for (let grown = true; grown;) {
    grown = false
    for (const node of beside) {
      if (body.has(node) || !before(node).every((each) => body.has(each) || each === loop)) continue
      body.add(node)
      grown = true
    }
  }
  return body
}

/** The graph of a file, with its loops told apart from its circles. */
export const flowOf = function* (file: N8nFile): Interruptible<Flow> {
  const links = modern(file)
  const outs = grouped(links, 'from')
  const ins = grouped(links, 'to')
  const loops = file.nodes.filter(({ kind }) => kind === splits)
  const bodies = new Map<N8nNode, ReadonlySet<N8nNode>>()
  for (const loop of loops) {
    bodies.set(loop, bodyOf(loop, outs, ins))
    yield
  }
  const linked = new Set(links.flatMap(({ from, to }) => [from, to]))
  const parts = new Set(file.nodes.flatMap(({ parts: own }) => own))
  const asked = new Set(file.links.flatMap(({ from, to }) => [from, to]).filter((node) => !linked.has(node)))
  return { nodes: file.nodes.filter((node) => !parts.has(node) && !asked.has(node)), outs, ins, bodies }
}

const push = (lists: Map<N8nNode, N8nNode[]>, key: N8nNode, node: N8nNode): void => {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [node])
  else list.push(node)
}

/** Which node of `nodes` holds another one in its body. */
const owners = (nodes: ReadonlySet<N8nNode>, flow: Flow): ReadonlyMap<N8nNode, N8nNode> => {
  const found = new Map<N8nNode, N8nNode>()
  for (const node of nodes) for (const inner of flow.bodies.get(node) ?? []) if (!nodes.has(inner)) found.set(inner, node)
  return found
}

/** In an order in which each comes after what leads to it; `circle`: nodes that go round without a loop. */
export const ordered = (
  nodes: ReadonlySet<N8nNode>,
  flow: Flow,
): { readonly order: readonly N8nNode[]; readonly circle: readonly N8nNode[] } => {
  const owner = owners(nodes, flow)
  const holder = (node: N8nNode): N8nNode | undefined => (nodes.has(node) ? node : owner.get(node))
  const before = (node: N8nNode): readonly N8nNode[] =>
    (flow.ins.get(node) ?? []).flatMap(({ from }) => {
      const held = holder(from)
      return held === undefined || (held === node && flow.bodies.has(node)) ? [] : [held]
    })
  const after = new Map<N8nNode, N8nNode[]>()
  const waiting = new Map<N8nNode, number>()
  for (const node of nodes) {
    const list = before(node)
    waiting.set(node, list.length)
    for (const each of list) push(after, each, node)
  }
  const order: N8nNode[] = [...nodes].filter((node) => waiting.get(node) === 0)
  for (const node of order) {
    for (const next of after.get(node) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1
      waiting.set(next, left)
      if (left === 0) order.push(next)
    }
  }
  const placed = new Set(order)
  return { order, circle: [...nodes].filter((node) => !placed.has(node)) }
}
