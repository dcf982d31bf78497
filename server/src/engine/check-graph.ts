import { closest } from '../lib/closest.ts'
import type { JsonObject } from '../lib/json.ts'
import type { ConfigReference } from './expression/config.ts'
import { ancestry, circles, inOrder, type Links, reachable } from './graph/ancestry.ts'
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

interface Seen {
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

const checkPort = (edge: SeenEdge, from: SeenNode, report: Report): void => {
  const { type, ports } = from
  if (type === null || ports === null) return
  const at = { node_id: edge.from, path: `/edges/${edge.index}/port` }
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
export const checkEdges = ({ nodes, ids, edges, report }: Seen): readonly SeenEdge[] => {
  const known = new Set<string>()
  return edges.filter((edge) => {
    const path = `/edges/${edge.index}`
    const from = ids.get(edge.from)
    const to = ids.get(edge.to)
    if (from === undefined) report({ path: `${path}/from`, severity: 'error', message: noNode(edge.from, ids) })
    if (to === undefined) report({ path: `${path}/to`, severity: 'error', message: noNode(edge.to, ids) })
    if (from === undefined || to === undefined) return false
    checkPort(edge, nodes[from] as SeenNode, report)
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

const reportCircles = (links: Links, rest: ReadonlySet<number>, { nodes, ids, edges, report }: Seen): void => {
  for (const circle of circles(links, rest)) {
    const names = circle.map((index) => idAt(nodes, index))
    const shown = names.length > 12 ? [...names.slice(0, 11), `… ${names.length - 11} more`] : names
    const [first, second] = [circle[0] as number, circle[1 % circle.length] as number]
    const edge = edges.find(({ from, to }) => ids.get(from) === first && ids.get(to) === second)
    const message = `The nodes go round in a circle: ${[...shown, names[0]].join(' → ')}`
    report({ node_id: idAt(nodes, first), path: edge ? `/edges/${edge.index}` : '/edges', severity: 'error', message })
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

const checkOnError = ({ nodes, report }: Seen): void => {
  for (const { index, id, type, ports, node } of nodes) {
    if (node === null || type === null) continue
    const at = { ...(id === null ? {} : { node_id: id }), severity: 'error' } as const
    if (node['on_error'] === 'continue' && ports !== null && !ports.includes('out'))
      report({
        ...at,
        path: `/nodes/${index}/on_error`,
        message: `"continue" leaves through the port "out", which ${type.type} does not have; use "error"`,
      })
    for (const field of type.kind === 'trigger' ? ['retry', 'timeout_ms', 'on_error'] : []) {
      if (node[field] !== undefined)
        report({ ...at, path: `/nodes/${index}/${field}`, message: `A trigger does no work, so "${field}" means nothing here` })
    }
  }
}

const checkReferences = (links: Links, order: readonly number[], { nodes, ids, report }: Seen): void => {
  if (nodes.every(({ references }) => references.length === 0)) return
  const before = ancestry(links, order)
  for (const { index, id, references } of nodes) {
    for (const { step, path, optional, position } of references) {
      if (step === null) continue
      const place = `(line ${position.line}, column ${position.column})`
      const say = (severity: 'error' | 'warning', message: string): void =>
        report({ ...(id === null ? {} : { node_id: id }), path, severity, message: `${message} ${place}` })
      const target = ids.get(step)
      if (target === undefined) {
        const similar = closest(step, ids.keys())
        say('error', `There is no step "${step}"${similar ? `; did you mean "${similar}"?` : ''}`)
      } else if (target === index) say('error', `A step cannot use its own output`)
      else if (!before(target, index))
        say(optional ? 'warning' : 'error', `"${step}" does not come before "${id ?? index}", so its output may not be there; connect them`)
    }
  }
}

/** What only all nodes and edges together show: circles, unreachable nodes, mentions of steps that cannot have run. */
export const checkShape = (seen: Seen): void => {
  const { nodes, report } = seen
  checkTriggers(seen)
  checkOnError(seen)
  const links = linksOf(seen)
  const { order, rest } = inOrder(links)
  if (rest.size > 0) reportCircles(links, rest, seen)
  const triggers = nodes.filter(({ type }) => type?.kind === 'trigger').map(({ index }) => index)
  const reached = reachable(links, triggers)
  if (triggers.length > 0) {
    for (const { index, id, type } of nodes) {
      if (reached.has(index) || id === null || type === null) continue
      report({
        node_id: id,
        path: `/nodes/${index}`,
        severity: 'warning',
        message: `"${id}" never runs: no path leads to it from a trigger`,
      })
    }
  }
  // In a circle nothing comes before anything; the circle is what has to be mended first.
  if (rest.size === 0) checkReferences(links, order, seen)
}
