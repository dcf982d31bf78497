import { createRegister } from '../../lib/churn.ts'
import type { Finished, Running } from '../contract.ts'
import type { HttpReply } from '../node.ts'
import type { Listener } from './live.ts'

/** Callers of this process that wait for executions, whoever holds those. */
export interface Watchers {
  readonly open: (execution_id: string) => { readonly running: Running; readonly listener: Listener }
  /** Without being told of anything yet, which `add` is for. */
  readonly prepare: (execution_id: string) => { readonly running: Running; readonly listener: Listener }
  readonly add: (execution_id: string, listener: Listener) => void
  /** For an execution that is taken up: whoever started it here is told of its end. */
  readonly of: (execution_id: string) => Listener | null
  /** Nobody here is told of its end. */
  readonly forget: (execution_id: string) => void
}

export const openWatchers = (): Watchers => {
  const waiting = createRegister<Listener>()
  const prepare: Watchers['prepare'] = (execution_id) => {
    const accepted = Promise.withResolvers<void>()
    const replied = Promise.withResolvers<HttpReply | null>()
    const finished = Promise.withResolvers<Finished>()
    // Whoever starts an execution need not look at all three.
    for (const { promise } of [accepted, replied, finished]) promise.catch(() => undefined)
    const listener: Listener = {
      accepted: accepted.resolve,
      refused: (error) => {
        waiting.delete(execution_id)
        for (const part of [accepted, replied, finished]) part.reject(error)
      },
      replied: replied.resolve,
      finished: (end) => {
        waiting.delete(execution_id)
        finished.resolve(end)
      },
    }
    return { listener, running: { execution_id, accepted: accepted.promise, replied: replied.promise, finished: finished.promise } }
  }
  return {
    prepare,
    add: waiting.set,
    of: (execution_id) => waiting.get(execution_id) ?? null,
    forget: (execution_id) => waiting.delete(execution_id),
    open: (execution_id) => {
      const opened = prepare(execution_id)
      waiting.set(execution_id, opened.listener)
      return opened
    },
  }
}
