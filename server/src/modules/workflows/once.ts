import { setTimeout as pause } from 'node:timers/promises'
import type { Once, StartExecution } from '../../engine/contract.ts'
import { engine, type Running } from '../../engine/engine.ts'
import { errors as engineErrors } from '../../engine/errors.ts'
import { readFinished, replySearch } from '../../engine/outcome.ts'
import type { App } from '../../platform/context.ts'
import { Problem } from '../../platform/errors.ts'
import { start } from './start.ts'

export type StartedOnce =
  | { readonly first: true; readonly running: Running }
  /** Another call has started it, here or in another process. */
  | { readonly first: false; readonly execution_id: string }

/** A key may be given up between the two questions, when its time is over; that it happens again at once it will not. */
const most_tries = 3

const isTaken = (error: unknown): boolean => error instanceof Problem && error.code === engineErrors.started_already.code

/**
 * Starts an execution unless one was started under the key; which of any number of calls at once is the first is decided by the commit of
 * the execution itself. Resolves when the execution is durable. Errors: as `start`.
 */
export const startOnce = async (app: App, input: StartExecution & { readonly once: Once }): Promise<StartedOnce> => {
  for (let tries = 1; ; tries += 1) {
    try {
      const running = await start(app, input)
      await running.accepted
      return { first: true, running }
    } catch (error) {
      if (!isTaken(error) || tries === most_tries) throw error
    }
    const execution_id = await app.use(engine).startedUnder(input.workflow_id, input.once.key)
    if (execution_id !== null) return { first: false, execution_id }
  }
}

/** How often the journal of an execution is read that may be anywhere: often at first, once a second after a while. */
const pauses = { first_ms: 20, most_ms: 1_000 }
/** As long as anybody may wait. */
const longest_ms = 600_000

/** An execution that is under way somewhere, as the one who started it sees it. */
export const following = (app: App, workspace_id: string, execution_id: string): Running => {
  const source = app.asSystem('a call that came again is answered like the first one', workspace_id)
  const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    const over = app.now() + longest_ms
    for (let wait = pauses.first_ms; app.now() < over; wait = Math.min(wait * 2, pauses.most_ms)) {
      const known = await look()
      if (known !== undefined) return known
      await pause(wait, undefined, { ref: false })
    }
    throw engineErrors.draining()
  }
  const quietly = <T>(promise: Promise<T>): Promise<T> => {
    // Whoever asks for an end need not be there any more when it comes.
    promise.catch(() => undefined)
    return promise
  }
  return {
    execution_id,
    accepted: Promise.resolve(),
    get replied() {
      return quietly(until(replySearch(source, execution_id)))
    },
    get finished() {
      return quietly(until(async () => (await readFinished(source, execution_id)) ?? undefined))
    },
  }
}
