import type { ExpressionCompiler } from '../../../../engine/expression/expression.ts'
import type { Json } from '../../../../lib/json.ts'
import type { ExpressionReport, NodeReport } from '../schema.ts'
import type { N8nFile, N8nNode } from './file.ts'
import { cel, type Cel } from './javascript/cel.ts'
import type { Given, Names, Place } from './javascript/names.ts'
import type { Budget } from './javascript/pieces.ts'
import type { Condition, Level, Out } from './level.ts'
import type { Flow } from './links.ts'
import type { Port } from './site.ts'

/** What goes through the whole of an import. */
export interface Building {
  readonly file: N8nFile
  readonly flow: Flow
  readonly id: (name: string, suffix?: string) => string
  readonly zone: string | null
  /** What each node gives, by output; the same output may be seen at several levels. */
  readonly outs: Map<N8nNode, Map<number, Out[]>>
  readonly ran: Map<N8nNode, { readonly level: Level; readonly step: string }>
  /** Nodes that others name in expressions. */
  readonly named: ReadonlyMap<N8nNode, readonly N8nNode[]>
  readonly reports: Map<N8nNode, { outcome: NodeReport['outcome']; readonly ids: string[]; readonly notes: Set<string> }>
  readonly expressions: ExpressionReport[]
  readonly pins: Map<string, Json>
  readonly placed: Set<N8nNode>
  readonly byName: ReadonlyMap<string, N8nNode>
  readonly compiler: ExpressionCompiler
  /** For all nodes together. */
  readonly budget: Budget
}

/** An input of a node, with all that leads to it brought together. */
export interface Arrival {
  readonly from: readonly Port[]
  readonly place: Place
  readonly many: boolean
  readonly condition: Condition | null
  /** CEL of its items; an empty list where it was not taken. */
  readonly list: string
}

export const setOut = (b: Building, node: N8nNode, output: number, out: Out): void => {
  const outputs = b.outs.get(node) ?? new Map<number, Out[]>()
  b.outs.set(node, outputs)
  outputs.set(output, [...(outputs.get(output) ?? []), out])
}

/** As it is seen from a level: there, or further out. */
export const outAt = (b: Building, level: Level, node: N8nNode, output: number): Out | undefined => {
  const known = b.outs.get(node)?.get(output) ?? []
  for (let at: Level | null = level; at !== null; at = at.outer) {
    const found = known.find((out) => out.level === at)
    if (found !== undefined) return found
  }
  return undefined
}

export const listOf = (place: Place, many: boolean): string => (many ? place.path : `[${place.path}]`)

export const reportOn = (b: Building, node: N8nNode) => {
  const known = b.reports.get(node)
  if (known !== undefined) return known
  const made = { outcome: 'translated' as NodeReport['outcome'], ids: [] as string[], notes: new Set<string>() }
  b.reports.set(node, made)
  return made
}

export const namesAt = (b: Building, level: Level, node: N8nNode, arrival: Arrival, budget: Budget): Names => {
  const [before] = b.flow.ins.get(node) ?? []
  return {
    json: arrival.many ? { path: `${arrival.place.path}.first()` } : arrival.place,
    items: cel(arrival.list, 'items'),
    index: level.outer === null ? '0' : 'index',
    zone: b.zone,
    workflow: { id: b.file.id, name: b.file.name, active: b.file.active },
    previous: before?.from.name ?? null,
    budget,
    node: (name) => given(b, level, name),
  }
}

const given = (b: Building, level: Level, name: string): Given | undefined => {
  const node = b.byName.get(name)
  if (node === undefined) return undefined
  const outputs = [...(b.outs.get(node)?.keys() ?? [])]
  const out = outputs.map((output) => outAt(b, level, node, output)).find((each) => each !== undefined)
  if (out === undefined) return undefined
  const outer = widest(b, level, node)
  const all: Cel | null = outer === undefined ? null : cel(listOf(outer.place, outer.many))
  const where = b.ran.get(node)
  let reachable = false
  for (let at: Level | null = level; at !== null; at = at.outer) reachable ||= where?.level === at
  return {
    item: out.many ? { path: `${out.place.path}.first()` } : out.place,
    all,
    ran: reachable && where !== undefined ? `has(steps.${where.step}.output)` : null,
  }
}

/** All that a node gave, not just what belongs to the element of a loop. */
const widest = (b: Building, level: Level, node: N8nNode): Out | undefined => {
  const known = [...(b.outs.get(node)?.values() ?? [])].flat()
  let found: Out | undefined
  for (let at: Level | null = level; at !== null; at = at.outer) found = known.find((out) => out.level === at) ?? found
  return found
}
