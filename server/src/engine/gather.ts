import type { Json } from '../lib/json.ts'
import type { Step } from './graph/plan.ts'
import type { TurnError } from './graph/region.ts'
import type { RecordBody, RegionFact } from './journal/record.ts'

/** What is known of a loop whose turns were recorded and whose output was not. */
interface Gathering {
  readonly outputs: Json[]
  /** By turn. */
  readonly errors: Map<number, TurnError>
}

interface Gatherer {
  readonly add: (body: Pick<RecordBody, 'steps' | 'regions'>) => void
  /** What a step gave: what is recorded, or put together of what the turns of its loop gave. */
  readonly outputOf: (step: Step) => Json
}

const pathOf = (step: Step): string => step.path ?? step.node_id

/** Puts together what loops gave. Records are added in their order; a loop's output is there once its step has been added. */
export const gatherer = (): Gatherer => {
  const open = new Map<string, Gathering>()
  const outputs = new Map<string, Json>()
  const outputOf = (step: Step): Json => (step.gathered === true ? (outputs.get(pathOf(step)) ?? null) : step.output)
  const applyFact = ({ path, opened, turns }: RegionFact): void => {
    if (opened !== undefined) open.set(path, { outputs: [], errors: new Map() })
    const region = open.get(path)
    if (turns === undefined || region === undefined) return
    for (const output of turns.outputs) region.outputs.push(output)
    for (const error of turns.errors ?? []) region.errors.set(error.index, error)
  }
  const applyStep = (step: Step): void => {
    const path = pathOf(step)
    const own = open.get(path)
    if (step.gathered === true && own !== undefined) {
      const errors = [...own.errors.values()].toSorted((a, b) => a.index - b.index)
      outputs.set(path, { items: own.outputs, errors: errors.map((error) => ({ ...error })) })
    }
    // One that has failed may be tried again: then it goes on with what its turns gave.
    if (step.port !== null) open.delete(path)
    const [, around = '', number = ''] = /^(.*)\[(\d+)\]\.[^.]+$/.exec(path) ?? []
    const region = open.get(around)
    if (region === undefined || step.retry_at !== null) return
    const turn = Number(number)
    while (region.outputs.length < turn) region.outputs.push(null)
    if (step.port !== null) {
      region.outputs[turn] = outputOf(step)
      region.errors.delete(turn)
    } else {
      const { code, message, details } = step.error ?? { code: '', message: '', details: null }
      region.outputs[turn] = null
      region.errors.set(turn, { index: turn, code, message, details, node_id: step.node_id })
    }
    outputs.delete(path)
  }
  return {
    outputOf,
    add: ({ steps, regions = [] }) => {
      let next = 0
      for (const [at, step] of steps.entries()) {
        for (let fact = regions[next]; fact !== undefined && fact.before <= at; fact = regions[++next]) applyFact(fact)
        applyStep(step)
      }
      for (const fact of regions.slice(next)) applyFact(fact)
    },
  }
}

/** The step whose output is that of an execution that has succeeded: the one that finished last, outside of loops, or that stopped it. */
export const lastStep = (steps: readonly Step[]): Step | undefined =>
  steps.findLast((step) => step.retry_at === null && (step.path === undefined || step.stop === true))
