import { closest } from '../lib/closest.ts'
import type { JsonObject } from '../lib/json.ts'
import type { ConfigReference } from './expression/config.ts'
import { ancestry, circles, inOrder, type Links, reachable } from './graph/ancestry.ts'
import type { Interruptible } from '../lib/turns.ts'
import type { Report } from './graph/problem.ts'
import type { NodeType } from './node.ts'

/** A node as far as it could be understood. */
export interface SeenNode {
  readonly index: number
  readonly id: string | null
  readonly type: NodeType | null
  /** Null: the config that decides them is wrong. */
  readonly ports: readonly string[] | null
  readonly node: JsonObject | null
  /** Mentions of other steps; paths into the definition. */
  readonly references: readonly ConfigReference[]
}

export interface SeenEdge {
  readonly index: number
  readonly from: string
  readonly port: string
  readonly to: string
}

/** Nodes that stand together, with what is known of their order. */
export interface Level {
  readonly nodes: SeenNode[]
  /** The first node of each id, here. */
  readonly ids: Map<string, number>
  readonly bodies: { readonly path: string; readonly level: Level }[]
  /** The region whose body this is. */
  readonly around: { readonly level: Level; readonly index: number } | null
  /** Whether one node comes before another; null where a circle leaves no order. */
  before: ((ancestor: number, node: number) => boolean) | null
}

interface Seen {
  /** JSON Pointer to what holds them. */
  readonly path: string
  /** It is the body of a region. */
  readonly inside: boolean
  readonly nodes: readonly SeenNode[]
  /** The first node of each id. */
  readonly ids: ReadonlyMap<string, number>
  readonly edges: readonly SeenEdge[]
  readonly report: Report
}

const noNode = (id: string, ids: ReadonlyMap<string, number>): string => {
  const similar = closest(id, ids.keys())
  return `There is no node "${id}"${similar ? `; did you mean "${similar}"?` : ''}`
}

const checkPort = (edge: SeenEdge, from: SeenNode, parent: string, report: Report): void => {
  const { type, ports } = from
  if (type === null || ports === null) return
  const at = { node_id: edge.from, path: `${parent}/edges/${edge.index}/port` }
  if (edge.port === 'error' && type.kind !== 'trigger') {
    if (from.node?.['on_error'] !== 'error')
      report({ ...at, severity: 'warning', message: `Nothing leaves "${edge.from}" through "error" unless its "on_error" is "error"` })
    return
  }
  if (ports.includes(edge.port)) return
  const list = ports.length === 0 ? 'none' : ports.map((port) => `"${port}"`).join(', ')
  report({ ...at, severity: 'error', message: `"${edge.from}" (${type.type}) has no port "${edge.port}"; it has ${list}` })
}

/** Both ends and the port of each edge. Gives back the edges whose ends are there. */
export const checkEdges = ({ nodes, ids, edges, report, path: parent }: Seen): readonly SeenEdge[] => {
  const known = new Set<string>()
  return edges.filter((edge) => {
    const path = `${parent}/edges/${edge.index}`
    const from = ids.get(edge.from)
    const to = ids.get(edge.to)
    if (from === undefined) report({ path: `${path}/from`, severity: 'error', message: noNode(edge.from, ids) })
    if (to === undefined) report({ path: `${path}/to`, severity: 'error', message: noNode(edge.to, ids) })
    if (from === undefined || to === undefined) return false
    checkPort(edge, nodes[from] as SeenNode, parent, report)
    if ((nodes[to] as SeenNode).type?.kind === 'trigger')
      report({ node_id: edge.to, path: `${path}/to`, severity: 'error', message: `"${edge.to}" is a trigger; nothing can come before it` })
    const key = JSON.stringify([edge.from, edge.port, edge.to])
    if (known.has(key)) report({ path, severity: 'warning', message: `There is an edge from "${edge.from}" to "${edge.to}" already` })
    known.add(key)
    return true
  })
}

const linksOf = ({ nodes, ids, edges }: Seen): Links => {
  const ins: number[][] = nodes.map(() => [])
  const outs: number[][] = nodes.map(() => [])
  for (const edge of edges) {
    const from = ids.get(edge.from) as number
    const to = ids.get(edge.to) as number
    ins[to]?.push(from)
    outs[from]?.push(to)
  }
  return { ins, outs }
}

const idAt = (nodes: readonly SeenNode[], index: number): string => nodes[index]?.id ?? `#${index}`

const reportCircles = (links: Links, rest: ReadonlySet<number>, { nodes, ids, edges, report, path: parent }: Seen): void => {
  for (const circle of circles(links, rest)) {
    const names = circle.map((index) => idAt(nodes, index))
    const shown = names.length > 12 ? [...names.slice(0, 11), `… ${names.length - 11} more`] : names
    const [first, second] = [circle[0] as number, circle[1 % circle.length] as number]
    const edge = edges.find(({ from, to }) => ids.get(from) === first && ids.get(to) === second)
    const message = `The nodes go round in a circle: ${[...shown, names[0]].join(' → ')}`
    report({ node_id: idAt(nodes, first), path: edge ? `${parent}/edges/${edge.index}` : `${parent}/edges`, severity: 'error', message })
  }
}

const checkTriggers = ({ nodes, report }: Seen): void => {
  const triggers = nodes.filter(({ type }) => type?.kind === 'trigger')
  // A node of unknown type might have been meant as one.
  if (triggers.length === 0 && nodes.every(({ type }) => type !== null))
    report({
      path: '/nodes',
      severity: 'error',
      message: 'There is no trigger, so nothing can start the workflow; add one, as `trigger.manual`',
    })
  if (triggers.length > 0 && triggers.every(({ node }) => node?.['disabled'] === true))
    report({ path: '/nodes', severity: 'warning', message: 'Every trigger is disabled, so nothing can start the workflow' })
}

const checkOnError = ({ nodes, report, path }: Seen): void => {
  for (const { index, id, type, ports, node } of nodes) {
    if (node === null || type === null) continue
    const at = { ...(id === null ? {} : { node_id: id }), severity: 'error' } as const
    if (node['on_error'] === 'continue' && ports !== null && !ports.includes('out'))
      report({
        ...at,
        path: `${path}/nodes/${index}/on_error`,
        message: `"continue" leaves through the port "out", which ${type.type} does not have; use "error"`,
      })
    for (const [field, message] of meaningless[type.kind] ?? []) {
      if (node[field] !== undefined) report({ ...at, path: `${path}/nodes/${index}/${field}`, message })
    }
  }
}

const idle = (field: string): readonly [string, string] => [field, `A trigger does no work, so "${field}" means nothing here`]

/** Fields that say how work is done, on nodes that do none themselves. */
const meaningless: { readonly [kind in NodeType['kind']]?: readonly (readonly [field: string, message: string])[] } = {
  trigger: [idle('retry'), idle('timeout_ms'), idle('on_error')],
  region: [
    ['retry', 'A loop is not tried again as a whole; give the nodes of its body a "retry"'],
    ['timeout_ms', 'A loop has no time limit of its own; give the nodes of its body one, or the workflow'],
  ],
}

/** A trigger has nothing to start in a body. */
const checkBodyNodes = ({ nodes, path, report }: Seen): void => {
  for (const { index, id, type } of nodes) {
    if (type?.kind !== 'trigger') continue
    const message = 'A trigger stands in no body: what starts the workflow comes before the loop'
    report({ ...(id === null ? {} : { node_id: id }), path: `${path}/nodes/${index}/type`, severity: 'error', message })
  }
}

const places = (level: Level, found = new Map<string, { readonly level: Level; readonly index: number }>()) => {
  for (const [id, index] of level.ids) if (!found.has(id)) found.set(id, { level, index })
  for (const body of level.bodies) places(body.level, found)
  return found
}

/** The node of `level` that holds what stands at `index` of `from`, or is it; null when that stands elsewhere. */
const holding = (level: Level, from: Level, index: number): number | null => {
  if (from === level) return index
  return from.around === null ? null : holding(level, from.around.level, from.around.index)
}

/** Mentions of steps that cannot have run, or are not to be seen from there. */
export const checkReferences = function* (root: Level, path: string, report: Report, known = places(root)): Interruptible<void> {
  const { nodes } = root
  for (const { index, id, references } of nodes) {
    for (const { step, path: at, optional, position } of references) {
      if (step === null) continue
      const place = `(line ${position.line}, column ${position.column})`
      const say = (severity: 'error' | 'warning', message: string): void =>
        report({ ...(id === null ? {} : { node_id: id }), path: at, severity, message: `${message} ${place}` })
      const target = known.get(step)
      if (target === undefined) {
        const similar = closest(step, known.keys())
        say('error', `There is no step "${step}"${similar ? `; did you mean "${similar}"?` : ''}`)
        continue
      }
      const own = holding(target.level, root, index)
      if (own === null) say('error', hiddenStep(step, target.level, root))
      else if (own === target.index)
        say(
          'error',
          target.level === root ? `A step cannot use its own output` : `"${step}" is the loop that this stands in; it has no output yet`,
        )
      else if (target.level.before !== null && !target.level.before(target.index, own))
        say(optional ? 'warning' : 'error', `"${step}" does not come before "${id ?? index}", so its output may not be there; connect them`)
    }
    yield
  }
  for (const body of root.bodies) yield* checkReferences(body.level, `${path}${body.path}`, report, known)
}

const hiddenStep = (step: string, level: Level, from: Level): string => {
  const { around } = level
  const loop = around === null ? null : (around.level.nodes[around.index]?.id ?? null)
  const seen = around !== null && holding(around.level, from, 0) !== null
  return `"${step}" stands in the body of "${loop ?? ''}", where it runs many times; from outside ${seen && loop !== null ? `use steps.${loop}.output` : 'its output cannot be seen'}`
}

/**
 * What only all nodes and edges together show: circles, unreachable nodes. Answers whether one node comes before another; null when there
 * is no saying: in a circle nothing comes before anything, and the circle is what has to be mended first.
 */
export const checkShape = (seen: Seen): Level['before'] => {
  const { nodes, report, path, inside } = seen
  if (inside) checkBodyNodes(seen)
  else checkTriggers(seen)
  checkOnError(seen)
  const links = linksOf(seen)
  const { order, rest } = inOrder(links)
  if (rest.size > 0) reportCircles(links, rest, seen)
  const triggers = nodes.filter(({ type }) => type?.kind === 'trigger').map(({ index }) => index)
  const reached = reachable(links, triggers)
  if (triggers.length > 0 && !inside) {
    for (const { index, id, type } of nodes) {
      if (reached.has(index) || id === null || type === null) continue
      report({
        node_id: id,
        path: `${path}/nodes/${index}`,
        severity: 'warning',
        message: `"${id}" never runs: no path leads to it from a trigger`,
      })
    }
  }
  return rest.size > 0 ? null : lazily(() => ancestry(links, order))
}

/** Most levels are never asked. */
const lazily = (make: () => NonNullable<Level['before']>): NonNullable<Level['before']> => {
  let made: Level['before'] = null
  return (ancestor, node) => (made ??= make())(ancestor, node)
}
