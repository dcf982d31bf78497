import { expressionCompiler } from '../../../../engine/expression/expression.ts'
import type { Interruptible } from '../../../../lib/turns.ts'
import { adapterOf } from './adapters.ts'
import { type Arrival, type Building, listOf, outAt, reportOn, setOut } from './building.ts'
import type { FileProblem, Link, N8nFile, N8nNode } from './file.ts'
import { idMaker } from './ids.ts'
import { quoted } from './javascript/cel.ts'
import { allExclusive, common, connect, type Level, openLevel, type Out, portsOf } from './level.ts'
import { done_port, flowOf, loop_port, ordered, splits } from './links.ts'
import { placeSite } from './place.ts'
import type { Adapter, Port } from './site.ts'

/** Whatever an expression may name, wherever it stands. */
const roots = new Set(['trigger', 'steps', 'execution', 'workspace', 'vars', 'item', 'index'] as const)

const adapter = (node: N8nNode): Adapter => adapterOf(node)

/** Of several inputs each says whether it was taken. */
const told = (b: Building, level: Level, inputs: readonly (Arrival | null)[]): readonly (Arrival | null)[] => {
  if (inputs.filter((input) => input !== null).length < 2) return inputs
  return inputs.map((input) => {
    if (input === null) return null
    const { from, list } = live(b, level, { ...input, level })
    return { ...input, from, list }
  })
}

const stepRuns = ({ step }: Port): string => `has(steps.${step}.output)`

/** A step that runs exactly where a port is taken. */
const marked = (b: Building, level: Level, port: Port): Port => {
  if (port.port === 'out') return port
  const id = b.id(port.step, port.port)
  level.nodes.push({ id, type: 'flow.merge', config: { mode: 'first' } })
  connect(level, [port], id)
  return { step: id, port: 'out' }
}

interface Live {
  readonly from: readonly Port[]
  readonly list: string
  readonly test: string
  readonly out: Out
}

const live = (b: Building, level: Level, out: Out): Live => {
  const from = out.from.map((port) => marked(b, level, port))
  const list = listOf(out.place, out.many)
  const test = from.map(stepRuns).join(' || ')
  return { from, list: test === '' ? list : `(${test} ? ${list} : [])`, test, out }
}

/** Brings together what leads to one input. Null: nothing does. */
const gather = (b: Building, level: Level, node: N8nNode, outs: readonly Out[]): Arrival | null => {
  const [first, ...rest] = outs
  if (first === undefined) return null
  const condition = common(outs.map((out) => out.condition))
  const same = rest.every(({ place, many }) => place.path === first.place.path && many === first.many)
  const apart = allExclusive(outs.map((out) => out.condition))
  if (rest.length === 0 || (same && apart))
    return { from: outs.flatMap((out) => out.from), place: first.place, many: first.many, condition, list: listOf(first.place, first.many) }
  const parts = outs.map((out) => live(b, level, out))
  const from = parts.flatMap((part) => part.from)
  if (apart && outs.every(({ many }) => !many)) {
    const id = b.id(node.name, 'input')
    const choice = parts.reduceRight(
      (other, { test, out }, index) => (index === parts.length - 1 ? out.place.path : `${test} ? ${out.place.path} : ${other}`),
      '',
    )
    level.nodes.push({ id, type: 'data.set', config: { values: `{{ ${choice} }}` } })
    connect(level, from, id)
    const place = { path: `steps.${id}.output` }
    return { from: [{ step: id, port: 'out' }], place, many: false, condition, list: `[${place.path}]` }
  }
  const id = b.id(node.name, 'input')
  level.nodes.push({ id, type: 'data.map', config: { items: `{{ ${parts.map((part) => part.list).join(' + ')} }}`, expression: 'item' } })
  connect(level, from, id)
  changed(reportOn(b, node), 'Several branches lead to it. n8n runs it once for each; here it gets the items of all of them together.')
  const place = { path: `steps.${id}.output` }
  return { from: [{ step: id, port: 'out' }], place, many: true, condition, list: place.path }
}

const changed = (report: ReturnType<typeof reportOn>, note: string): void => {
  report.notes.add(note)
  if (report.outcome === 'translated') report.outcome = 'changed'
}

/** The inputs of a node at a level, by their index; holes where nothing leads to one. */
const inputsOf = (b: Building, level: Level, node: N8nNode, entries: ReadonlyMap<N8nNode, Out>): (Arrival | null)[] => {
  const groups: Out[][] = []
  const entry = entries.get(node)
  if (entry !== undefined) groups[0] = [entry]
  for (const { from, output, input } of b.flow.ins.get(node) ?? []) {
    const out = b.flow.bodies.get(node)?.has(from) === true ? undefined : outAt(b, level, from, output)
    if (out === undefined || out.level !== level || out === entry) continue
    const index = adapter(node).takes === 'all' && node.kind === 'merge' ? Math.min(input, 100) : 0
    groups[index] = [...(groups[index] ?? []), out]
  }
  return Array.from(groups, (group) => (group === undefined ? null : gather(b, level, node, group)))
}

const nowhere = (): Arrival => ({ from: [], place: { path: 'trigger' }, many: false, condition: null, list: '[trigger]' })

/** Places the nodes of one level, in order. Gives the nodes that go round in a circle. */
const buildLevel = function* (
  b: Building,
  level: Level,
  nodes: ReadonlySet<N8nNode>,
  entries: ReadonlyMap<N8nNode, Out>,
): Interruptible<readonly N8nNode[]> {
  const { order, circle } = ordered(nodes, b.flow)
  const circles = [...circle]
  for (const node of order) {
    if (b.placed.has(node)) continue
    const inputs = told(b, level, inputsOf(b, level, node, entries))
    const [first = null] = inputs
    const arrival = first ?? inputs.find((each) => each !== null) ?? nowhere()
    if (node.kind === splits) circles.push(...(yield* batchRegion(b, level, node, arrival)))
    else if (arrival.many && !node.execute_once && !node.disabled && adapter(node).takes === 'item')
      circles.push(...(yield* itemRegion(b, level, node, arrival, order)))
    else {
      b.placed.add(node)
      placeSite(b, level, node, arrival, inputs)
    }
    yield
  }
  return circles
}

/** The nodes behind `start` that are done for each item, as far as everything before them is among them. */
const perItem = (b: Building, start: N8nNode, order: readonly N8nNode[]): Set<N8nNode> => {
  const found = new Set([start])
  for (const node of order) {
    if (found.has(node) || b.placed.has(node) || node.kind === splits || adapter(node).takes !== 'item' || node.execute_once) continue
    const before = b.flow.ins.get(node) ?? []
    if (before.length > 0 && before.every(({ from }) => found.has(from))) found.add(node)
  }
  return found
}

const itemRegion = function* (
  b: Building,
  level: Level,
  start: N8nNode,
  arrival: Arrival,
  order: readonly N8nNode[],
): Interruptible<readonly N8nNode[]> {
  const nodes = perItem(b, start, order)
  for (const node of nodes) {
    const report = reportOn(b, node)
    changed(report, 'It gets several items: it stands in a loop, which takes each through all of its nodes before the next.')
  }
  const entries = new Map([[start, null]])
  const sources = (b.flow.ins.get(start) ?? []).map(({ from, output }) => ({ node: from, output }))
  return yield* region(b, level, { name: start.name, nodes, starts: [...entries.keys()], arrival, batch: 1, sources, back: null })
}

const batchRegion = function* (b: Building, level: Level, loop: N8nNode, arrival: Arrival): Interruptible<readonly N8nNode[]> {
  b.placed.add(loop)
  const nodes = new Set(b.flow.bodies.get(loop) ?? [])
  const report = reportOn(b, loop)
  const size = loop.parameters['batchSize']
  const batch = typeof size === 'number' && size >= 1 ? Math.min(100_000, Math.trunc(size)) : loop.version < 3 ? 10 : 1
  if (typeof size === 'string') report.notes.add('The size of its batches is an expression; they have one item here.')
  const starts = (b.flow.outs.get(loop) ?? []).filter(({ output, to }) => output === loop_port && nodes.has(to)).map(({ to }) => to)
  if (starts.length === 0) {
    report.outcome = 'changed'
    report.notes.add('Nothing is done in its loop: all items go on at once.')
    const out: Out = {
      level,
      from: arrival.from,
      place: { path: arrival.many ? arrival.place.path : arrival.place.path },
      many: arrival.many,
      condition: arrival.condition,
    }
    for (const output of [done_port, loop_port]) setOut(b, loop, output, out)
    return []
  }
  return yield* region(b, level, {
    name: loop.name,
    nodes,
    starts,
    arrival,
    batch,
    sources: [{ node: loop, output: loop_port }],
    back: loop,
  })
}

interface Region {
  readonly name: string
  readonly nodes: ReadonlySet<N8nNode>
  readonly starts: readonly N8nNode[]
  readonly arrival: Arrival
  readonly batch: number
  /** The outputs that the elements come from. */
  readonly sources: readonly { readonly node: N8nNode; readonly output: number }[]
  /** The loop over batches, to which the body leads back. */
  readonly back: N8nNode | null
}

interface Exit {
  readonly key: string
  /** What leads out: outputs of nodes in the body. */
  readonly of: readonly { readonly node: N8nNode; readonly output: number }[]
}

const exitsOf = (b: Building, { nodes, back }: Region): readonly Exit[] => {
  const exits: Exit[] = []
  const backs: Link[] = []
  const seen = new Set<string>()
  const leave = (node: N8nNode, output: number): void => {
    const known = JSON.stringify([node.name, output])
    if (seen.has(known)) return
    seen.add(known)
    exits.push({ key: `out_${exits.length + 1}`, of: [{ node, output }] })
  }
  for (const node of nodes) {
    for (const link of b.flow.outs.get(node) ?? []) {
      if (link.to === back) backs.push(link)
      else if (!nodes.has(link.to)) leave(node, link.output)
    }
    if ((b.named.get(node) ?? []).some((other) => !nodes.has(other))) leave(node, 0)
  }
  return back === null ? exits : [{ key: 'done', of: backs.map(({ from, output }) => ({ node: from, output })) }, ...exits]
}

/** A loop over what arrives, with these nodes in its body. */
const region = function* (b: Building, level: Level, given_region: Region): Interruptible<readonly N8nNode[]> {
  const { name, nodes, starts, arrival, batch, sources, back } = given_region
  const inner = openLevel(level)
  const id = b.id(name, 'loop')
  const entry = enter(b, inner, given_region, id)
  for (const { node, output } of sources) setOut(b, node, output, entry)
  const circles = yield* buildLevel(b, inner, nodes, new Map(starts.map((start) => [start, entry])))
  const exits = exitsOf(b, given_region)
  const body = { nodes: inner.nodes, edges: inner.edges }
  const sizes = batch > 1 ? { batch_size: batch } : {}
  level.nodes.push({ id, type: 'flow.loop', name: `${name}: each`.slice(0, 200), config: { items: arrival.list, ...sizes, body } })
  connect(level, arrival.from, id)
  const values = collect(b, inner, exits, id)
  if (back !== null) reportOn(b, back).ids.push(id)
  for (const exit of exits) leaveThrough(b, level, given_region, { exit, id, collected: values })
  if (inner.nodes.length === 0) inner.nodes.push({ id: b.id(name, 'nothing'), type: 'flow.merge', config: { mode: 'first' } })
  return circles
}

/** What the first nodes of the body get. */
const enter = (b: Building, inner: Level, { nodes, batch, arrival }: Region, loop: string): Out => {
  const condition = arrival.condition
  const nested = batch > 1 || [...nodes].some((node) => node.kind === splits || adapter(node).multiplies === true)
  if (!nested) return { level: inner, from: [], place: { path: 'item' }, many: false, condition }
  // Loops within hide the element of this one.
  const id = b.id(loop, 'item')
  if (batch > 1) inner.nodes.push({ id, type: 'data.map', config: { items: 'item', expression: 'item' } })
  else inner.nodes.push({ id, type: 'data.set', config: { values: '{{ item }}' } })
  return { level: inner, from: [{ step: id, port: 'out' }], place: { path: `steps.${id}.output` }, many: batch > 1, condition }
}

/** A last step that says what each way out was taken with. Null where nobody asks. */
const collect = (b: Building, inner: Level, exits: readonly Exit[], loop: string): string | null => {
  if (exits.length === 0) return null
  const values = exits.map(({ key, of }) => {
    const parts = of.flatMap(({ node, output }) => {
      const out = outAt(b, inner, node, output)
      return out === undefined || out.level !== inner ? [] : [live(b, inner, out).list]
    })
    return [key, `{{ ${parts.length === 0 ? '[]' : parts.join(' + ')} }}`] as const
  })
  const id = b.id(loop, 'result')
  const leaves = leavesOf(inner)
  inner.nodes.push({ id, type: 'data.set', config: { values: Object.fromEntries(values) } })
  connect(inner, leaves, id)
  return id
}

/** Ports that nothing follows. */
const leavesOf = (level: Level): readonly Port[] => {
  const used = new Set(level.edges.map(({ from, port = 'out' }) => `${from} ${port}`))
  return level.nodes.flatMap((node) =>
    portsOf(node)
      .filter((port) => !used.has(`${node.id} ${port}`))
      .map((port) => ({ step: node.id, port })),
  )
}

const leaveThrough = (
  b: Building,
  level: Level,
  { name, back, arrival }: Region,
  { exit, id }: { readonly exit: Exit; readonly id: string; readonly collected: string | null },
): void => {
  const list = b.id(name, exit.key === 'done' ? 'done' : 'items')
  level.nodes.push({
    id: list,
    type: 'data.map',
    config: { items: `steps.${id}.output.items.map(each, each.${exit.key}).flatten()`, expression: 'item' },
  })
  connect(level, [{ step: id, port: 'out' }], list)
  const out: Out = {
    level,
    from: [{ step: list, port: 'out' }],
    place: { path: `steps.${list}.output` },
    many: true,
    condition: arrival.condition,
  }
  if (back !== null && exit.key === 'done') return setOut(b, back, done_port, out)
  for (const { node, output } of exit.of) setOut(b, node, output, out)
}

/** Which nodes other nodes name in their expressions. */
const namedBy = (file: N8nFile): ReadonlyMap<N8nNode, readonly N8nNode[]> => {
  const byName = new Map(file.nodes.map((node) => [node.name, node]))
  const found = new Map<N8nNode, N8nNode[]>()
  for (const node of file.nodes) {
    const said = JSON.stringify(node.parameters)
    for (const match of said.matchAll(/\$(?:node|items)?\s*[([]\s*(?:\\["']|['`])((?:\\\\.|[^"'`\\])*)/g)) {
      const other = byName.get((match[1] as string).replaceAll('\\\\', '\\'))
      if (other !== undefined && other !== node) found.set(other, [...(found.get(other) ?? []), node])
    }
  }
  return found
}

const zoneOf = ({ settings }: N8nFile): string | null => {
  const zone = settings['timezone']
  return typeof zone === 'string' && zone !== 'DEFAULT' && /^[A-Za-z0-9_+/-]{1,64}$/.test(zone) ? zone : null
}

/** Makes a definition of an n8n file. `problems` is empty, or nothing was made. */
export const build = function* (
  file: N8nFile,
): Interruptible<{ readonly building: Building; readonly level: Level; readonly problems: readonly FileProblem[] }> {
  // Nothing comes before a trigger.
  const flow = yield* flowOf({ ...file, links: file.links.filter(({ to }) => adapter(to).takes !== 'trigger') })
  const building: Building = {
    file,
    flow,
    id: idMaker(),
    zone: zoneOf(file),
    outs: new Map(),
    ran: new Map(),
    named: namedBy(file),
    reports: new Map(),
    expressions: [],
    pins: new Map(),
    placed: new Set(),
    compiler: expressionCompiler(roots),
    budget: { left: 8_000_000 },
    byName: new Map(file.nodes.map((node) => [node.name, node])),
  }
  const level = openLevel(null)
  const held = new Set([...flow.bodies.values()].flatMap((body) => [...body]))
  const circles = new Set(yield* buildLevel(building, level, new Set(flow.nodes.filter((node) => !held.has(node))), new Map()))
  for (const node of flow.nodes) if (!building.placed.has(node)) circles.add(node)
  const names = [...circles].map(({ name }) => quoted(name.slice(0, 60)))
  const shown = names.length > 12 ? [...names.slice(0, 12), `… ${names.length - 12} more`] : names
  const message = `Nodes go round in a circle without a loop over batches, or jump into one: ${shown.join(', ')}`
  return { building, level, problems: names.length === 0 ? [] : [{ path: '/connections', message }] }
}
