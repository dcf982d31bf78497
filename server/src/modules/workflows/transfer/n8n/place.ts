import type { DefinitionNode } from '../../../../engine/graph/definition.ts'
import type { Json } from '../../../../lib/json.ts'
import { adapterOf } from './adapters.ts'
import { type Arrival, type Building, namesAt, reportOn, setOut } from './building.ts'
import type { N8nNode } from './file.ts'
import { type Budget, reads } from './javascript/pieces.ts'
import { allExclusive, connect, type Level, portsOf } from './level.ts'
import { at } from './parameters.ts'
import { expressionsProgram, foreignIn, itemsOf, nodeProgram, refusingProgram } from './programs.ts'
import type { Adapter, Gives, Input, NewStep, Port, Site } from './site.ts'
import { asCel, asConfig, type Values } from './values.ts'

/** Characters of code that are looked at for one node: that is done without a break. */
const most_chars = 20_000

interface Placing {
  readonly b: Building
  readonly level: Level
  readonly node: N8nNode
  readonly arrival: Arrival
  readonly inputs: readonly (Arrival | null)[]
  /** What the next step comes behind. */
  tails: readonly Port[]
  /** Expressions that a program has to work out before the next step, by the name of the value. */
  readonly pending: Map<string, string>
  program: string | null
  refusal: string | null
  readonly made: DefinitionNode[]
  readonly budget: Budget
}

const positionOf = ({ node, made }: Placing): Pick<DefinitionNode, 'position'> => {
  if (node.position === null) return {}
  const { x, y } = node.position
  return { position: { x, y: y + 100 * made.length } }
}

/** What goes for the step that does the work: how often it is tried, and what a failure leads to. */
const working = ({ retry, on_error }: N8nNode): Pick<DefinitionNode, 'retry' | 'on_error'> => ({
  ...(retry === null
    ? {}
    : {
        retry: {
          max_attempts: retry.max_attempts,
          backoff: 'fixed' as const,
          delay_ms: retry.delay_ms,
          max_delay_ms: retry.delay_ms,
          jitter: false,
          // n8n asks nothing of an error.
          retry_if: 'true',
        },
      }),
  ...(on_error === 'fail' ? {} : { on_error }),
})

const addStep = (p: Placing, { type, config, suffix, works }: NewStep, beside: boolean): string => {
  const { b, level, node } = p
  if (!beside) flush(p)
  const id = b.id(node.name, suffix)
  const step: DefinitionNode = {
    id,
    type,
    name: node.name.slice(0, 200),
    ...(Object.keys(config).length === 0 ? {} : { config }),
    ...(works === true ? working(node) : {}),
    ...(node.disabled ? { disabled: true } : {}),
    ...positionOf(p),
  }
  level.nodes.push(step)
  p.made.push(step)
  if (beside) return id
  connect(level, p.tails, id)
  p.tails = [{ step: id, port: 'out' }]
  return id
}

/** The program that works out what has no counterpart, before the step that needs it. */
const flush = (p: Placing): void => {
  const { pending, program, b, level, node, arrival } = p
  if (pending.size === 0 || program === null) return
  const names = namesAt(b, level, node, arrival, p.budget)
  const all = [...pending.values()].join('\n')
  const source = p.refusal === null ? expressionsProgram(pending, names) : refusingProgram(p.refusal, all)
  level.nodes.push({
    id: program,
    type: 'data.code',
    name: `${node.name}: expressions`.slice(0, 200),
    config: { source },
    ...(node.disabled ? { disabled: true } : {}),
  })
  connect(level, p.tails, program)
  p.tails = [{ step: program, port: 'out' }]
  reportOn(b, node).ids.push(program)
  pending.clear()
  p.program = null
  p.refusal = null
}

const openValues = (p: Placing): Values => {
  const { b, level, node, arrival } = p
  const report = reportOn(b, node)
  return {
    node: node.name,
    compiler: b.compiler,
    names: namesAt(b, level, node, arrival, p.budget),
    report: (line) => {
      b.expressions.push(line)
      if (line.outcome === 'left_over') report.outcome = 'left_over'
      else if (line.outcome === 'changed' && report.outcome === 'translated') report.outcome = 'changed'
    },
    note: (text) => void report.notes.add(text),
    byCode: (code, reason) => {
      p.program ??= b.id(node.name, 'js')
      const name = `e${p.pending.size + 1}`
      p.pending.set(name, code)
      const refuses = foreignIn(code) ?? (reads(code, p.budget) ? null : reason)
      report.notes.add(
        refuses === null
          ? `An expression is worked out by a program before the step: ${reason}.`
          : `An expression is for you to finish: ${refuses}. Until then the program before the step refuses.`,
      )
      p.refusal ??= refuses
      return { text: `steps.${p.program}.output.${name}`, refuses: refuses !== null }
    },
  }
}

const empty: Input = { place: { path: 'null' }, many: true, list: '[]' }

const isOpen = (arrival: Arrival | null): arrival is Arrival => arrival !== null

const siteOf = (p: Placing): Site => {
  const { b, level, node, arrival, inputs } = p
  const report = reportOn(b, node)
  const values = openValues(p)
  const one = !arrival.many || node.execute_once
  const place = arrival.many ? { path: `${arrival.place.path}.first()` } : arrival.place
  return {
    node,
    parameters: node.parameters,
    place,
    one,
    list: arrival.many && node.execute_once ? `${arrival.place.path}.slice(0, 1)` : arrival.list,
    inputs: Array.from(inputs, (input) => (input === null || input === undefined ? empty : input)),
    exclusive: allExclusive(inputs.filter(isOpen).map(({ condition }) => condition)),
    zone: b.zone,
    value: (path) => asConfig(at(node.parameters, path), path, values),
    made: (value, path) => asConfig(value, path, values),
    cel: (value, path) => asCel(value, path, values).text,
    program: (code, mode) => {
      const foreign = foreignIn(code)
      if (foreign === null) return nodeProgram(code, mode, namesAt(b, level, node, arrival, p.budget))
      report.outcome = 'left_over'
      report.notes.add(`Its program is for you to finish: ${foreign}. Until then it refuses.`)
      return refusingProgram(foreign, code)
    },
    step: (step) => addStep(p, step, false),
    beside: (step) => addStep(p, step, true),
    note: (text) => void report.notes.add(text),
    changed: (text) => {
      report.notes.add(text)
      if (report.outcome === 'translated') report.outcome = 'changed'
    },
    left: (text) => {
      report.notes.add(text)
      report.outcome = 'left_over'
    },
    next: (b.flow.outs.get(node) ?? []).map(({ to }) => to),
    pinned: b.file.pins.get(node.name),
  }
}

const noteFlags = ({ b, node, arrival }: Placing, adapter: Adapter): void => {
  const report = reportOn(b, node)
  const changed = (text: string): void => {
    report.notes.add(text)
    if (report.outcome === 'translated') report.outcome = 'changed'
  }
  for (const { type, name } of node.credentials)
    changed(
      `It used the credential ${JSON.stringify(name.slice(0, 100))} (${type}), which no file holds: connect an integration or a secret.`,
    )
  if (node.always_output) changed('It always gave an item; here it gives none where there is none.')
  if (node.execute_once && arrival.many && adapter.takes === 'item') report.notes.add('It runs once, with the first item.')
  if (node.on_error !== 'fail') report.notes.add('What fails goes on as `{ error: { code, message } }`, without the fields of the item.')
}

const register = (p: Placing, adapter: Adapter, gives: readonly (Gives | null)[]): void => {
  const { b, level, node, arrival } = p
  const outcomes = adapter.chooses === true
  gives.forEach((each, output) => {
    if (each === null) return
    const condition = outcomes ? { node, output, outer: arrival.condition } : arrival.condition
    const from = triggersBeside(p, each)
    setOut(b, node, output, { level, from, place: each.place, many: each.many === true, condition })
  })
  const [first = null] = gives
  if (first !== null) b.ran.set(node, { level, step: first.from.step })
  const worker = p.made.find(({ on_error }) => on_error === 'error')
  // The extra output comes last.
  if (worker !== undefined) {
    const error = { level, from: [{ step: worker.id, port: 'error' }], place: { path: `steps.${worker.id}.output` }, many: false }
    setOut(b, node, gives.length, { ...error, condition: { node, output: gives.length, outer: arrival.condition } })
  }
}

/** A node that starts by several schedules has become several triggers. */
const triggersBeside = ({ made }: Placing, { from }: Gives): readonly Port[] => {
  const triggers = made.filter(({ type }) => type.startsWith('trigger.'))
  return triggers.length > 1 ? triggers.map(({ id }) => ({ step: id, port: 'out' })) : [from]
}

const pin = ({ b, node, made, level }: Placing, adapter: Adapter): void => {
  const items = itemsOf(b.file.pins.get(node.name))
  const main = made.find(({ type }) => type !== 'data.code' || made.length === 1)
  if (items.length === 0 || main === undefined || level.outer !== null) return
  if (adapter.pin === undefined) {
    reportOn(b, node).notes.add('What was pinned to it is left out.')
    return
  }
  const value: Json = adapter.pin(items)
  b.pins.set(main.id, value)
}

/** Puts what a node of n8n becomes into a level, and says what it gives. */
export const placeSite = (b: Building, level: Level, node: N8nNode, arrival: Arrival, inputs: readonly (Arrival | null)[]): void => {
  const adapter = adapterOf(node)
  const tails = inputs.length > 1 ? inputs.filter(isOpen).flatMap(({ from }) => from) : arrival.from
  const most = Math.min(most_chars, b.budget.left)
  const budget = { left: most }
  const p: Placing = { b, level, node, arrival, inputs, tails, pending: new Map(), program: null, refusal: null, made: [], budget }
  const made = adapter.make(siteOf(p))
  b.budget.left -= most - Math.max(0, budget.left)
  noteFlags(p, adapter)
  reportOn(b, node).ids.push(...p.made.map(({ id }) => id))
  pin(p, adapter)
  if (!node.disabled) return register(p, adapter, made)
  // It passes on what it gets.
  const last = p.made.at(-1)
  const port = last === undefined ? undefined : portsOf(last)[0]
  const from = last === undefined || port === undefined ? arrival.from : [{ step: last.id, port }]
  setOut(b, node, 0, { level, from, place: arrival.place, many: arrival.many, condition: arrival.condition })
}
