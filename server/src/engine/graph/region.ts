import type { Json } from '../../lib/json.ts'
import type { Repeats } from './graph.ts'
import type { Run, StepError } from './plan.ts'

/** What a region is opened with: its config, evaluated. */
export interface RegionSpec {
  readonly repeats: Repeats
  /** What is gone through; empty for `while`. */
  readonly items: readonly Json[]
  readonly batch_size: number
  /** Turns at a time. */
  readonly parallel: number
  /** The errors of turns are collected instead of ending the region. */
  readonly collect: boolean
  /** Turns that there may be at most. */
  readonly most_turns: number
  /** Of the first turn of `while`; a later one gets what the one before gave. */
  readonly first: Json
  /** Unix milliseconds. */
  readonly started_at: number
}

/** Why a turn failed. */
export interface TurnError {
  readonly index: number
  readonly code: string
  readonly message: string
  readonly details: StepError['details']
  readonly node_id: string
}

/**
 * A node that repeats its body, while it does. Each turn is a run of its own for as long as it lasts, and afterwards the one value that it
 * gave: so a region holds what is in progress and its results, however many turns there are.
 */
export interface Region {
  readonly spec: RegionSpec
  /** The turn that begins next, from 0. */
  next: number
  readonly running: Run[]
  /** What the turns gave, by number. Of `while` only the last is kept. */
  readonly outputs: Json[]
  last: Json
  readonly errors: TurnError[]
  /** The error that ends it. */
  failed: TurnError | null
}

/** Turns that were run and recorded as a whole: what those before `next` gave which were not recorded yet; of `while` only the last. */
export interface Turns {
  readonly next: number
  readonly outputs: readonly Json[]
  readonly errors?: readonly TurnError[]
}

export const turnsOf = ({ repeats, items, batch_size, most_turns }: RegionSpec): number =>
  repeats === 'each' ? Math.ceil(items.length / batch_size) : most_turns

export const openRegion = (spec: RegionSpec): Region => ({
  spec,
  next: 0,
  running: [],
  outputs: [],
  last: spec.first,
  errors: [],
  failed: null,
})

/** What turn `turn` is about. */
export const itemOf = ({ spec, last }: Region, turn: number): Json => {
  const { repeats, items, batch_size } = spec
  if (repeats === 'while') return last
  return batch_size === 1 ? (items[turn] ?? null) : items.slice(turn * batch_size, (turn + 1) * batch_size)
}

/** How many times somebody has to look after it now: to begin a turn, or to end it. */
export const turnsDue = ({ spec, next, running, failed }: Region): number => {
  if (failed !== null) return 1
  const left = spec.repeats === 'each' ? turnsOf(spec) - next : 0
  if (left > 0) return Math.min(left, spec.parallel - running.length)
  return running.length === 0 ? 1 : 0
}

/** The turn has ended: what it gave stays, or why it failed. */
export const closeTurn = (region: Region, run: Run): void => {
  const { spec, running } = region
  const turn = run.place?.turn ?? 0
  running.splice(running.indexOf(run), 1)
  const output = run.failed === null ? (run.outputs[run.last] ?? null) : null
  if (run.failed !== null) {
    const { code, message, details, node_id } = run.failed
    const error = { index: turn, code, message, details, node_id }
    if (!spec.collect || run.failed.code === too_large_code) {
      region.failed = error
      return
    }
    region.errors.push(error)
  }
  if (spec.repeats === 'while') region.last = output
  else {
    while (region.outputs.length < turn) region.outputs.push(null)
    region.outputs[turn] = output
  }
}

/** There is no room for what further turns would give: that is no matter of one item. */
export const too_large_code = 'engine.execution_too_large'

/** Notes turns that were recorded as a whole. */
export const passTurns = (region: Region, turns: Turns): void => {
  if (turns.next <= region.next) throw new Error(`The journal holds turn ${turns.next - 1} of a region twice`)
  region.next = turns.next
  if (region.spec.repeats === 'while') region.last = turns.outputs.at(-1) ?? null
  else for (const output of turns.outputs) region.outputs.push(output)
  for (const error of turns.errors ?? []) region.errors.push(error)
}

/** What it gives once it has ended. The order is that of the turns, whichever ended first. */
export const resultOf = ({ spec, next, outputs, last, errors }: Region): Json =>
  spec.repeats === 'while'
    ? { item: last, iterations: next }
    : { items: outputs, errors: errors.toSorted((a, b) => a.index - b.index).map((error) => ({ ...error })) }
