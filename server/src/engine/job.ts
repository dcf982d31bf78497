import type { Static, TSchema } from 'typebox'
import type { Json } from '../lib/json.ts'
import type { Ctx } from '../platform/context.ts'
import type { Retry } from './graph/definition.ts'
import { Later } from './node.ts'

/** One attempt at a job. */
export interface JobRun<Input> {
  readonly input: Input
  /** The same for every attempt, on whatever process: what a job claims its work by. */
  readonly execution_id: string
  /** 1 for the first try. */
  readonly attempt: number
  /** Aborted when the attempt's time is over or the server stops: what is begun then is begun again elsewhere. */
  readonly signal: AbortSignal
}

/**
 * Work of the product that is slow, tried again or due later: an execution of the engine, declared in code. It survives any crash and is
 * repeated where one cuts it off, so its body must stand being run twice: claim a row by `execution_id`, or change by a condition that
 * holds once.
 */
export interface Job<Input extends TSchema = TSchema> {
  /** `module.verb`. An execution is bound to its job by this name. */
  readonly name: string
  readonly doc: string
  /** Kept in the journal as it is: ids, no secrets. */
  readonly input: Input
  /** For what `run` throws, unless that is a `NodeFailure` which says otherwise. Twenty attempts within about ten hours when not given. */
  readonly retry?: Omit<Retry, 'retry_if'>
  /** Of one attempt. */
  readonly timeout_ms?: number
  /** Started with this input again and again, for the installation as a whole, first after the first `every_ms`. */
  readonly recurring?: { readonly every_ms: number; readonly input: Static<Input> }
  /** As the system, in the workspace it was started for. What it answers is kept with the execution. */
  readonly run: (ctx: Ctx, run: JobRun<Static<Input>>) => Promise<Json>
}

export const defineJob = <Input extends TSchema>(job: Job<Input>): Job<Input> => job

/** `throw later(ms)` in a job: run me again then. It holds nothing meanwhile, survives every restart, and counts as no failure. */
export const later = (ms: number): Later => new Later(ms)
