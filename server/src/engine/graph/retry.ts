import type { GraphNode } from './graph.ts'
import { regionAround, type Run, type Step } from './plan.ts'
import { too_large_code } from './region.ts'

/**
 * Whether a step is a failure that ends the whole execution: nothing around it catches it. `run`: the run that it belongs to, before the step
 * is applied.
 */
export const endsAll = (run: Run, step: Step): boolean => {
  if (step.status !== 'failed' || step.port !== null || step.retry_at !== null) return false
  return step.stop === true || isUncaught(run, step.error?.code ?? '')
}

const isUncaught = ({ place }: Run, code: string): boolean => {
  if (place === null) return true
  const region = regionAround(place)
  if (region === undefined || (region.spec.collect && code !== too_large_code)) return false
  const { on_error } = place.outer.graph.nodes[place.index] as GraphNode
  return on_error === 'fail' && isUncaught(place.outer, code)
}

/** The same step in an execution that was tried again at `at`: an attempt that failed, and whose node is to be run once more. */
export const forgiven = (step: Step, at: number): Step => ({ ...step, retry_at: at, forgiven: true })

/** What sleeps until it is woken looks again at `at`: whoever would have woken it may have come while it could not be. */
export const rouse = (run: Run, at: number): void => {
  for (const [index, retry] of run.retries) if (retry.asleep) run.retries.set(index, { ...retry, retry_at: Math.min(retry.retry_at, at) })
  for (const region of run.regions?.values() ?? []) for (const turn of region.running) rouse(turn, at)
}
