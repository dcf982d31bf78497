import type { EnqueueExecution, StartExecution } from '../../engine/contract.ts'
import { engine, type Running } from '../../engine/engine.ts'
import type { App, TxCtx } from '../../platform/context.ts'
import * as plans from '../plans/plans.ts'

const one_execution = { feature: 'executions', amount: 1 } as const

/**
 * Starts an execution, counted against what the plan of its workspace gives in a month: 402 `plans.limit_reached`. At once for a plan without
 * a limit; else it is durable when this resolves, and one that could not be started is not counted.
 */
export const start = (app: App, input: StartExecution): Running | Promise<Running> => {
  const spent = plans.checkFor(app, input.workspace_id, one_execution)
  if (spent === null) return app.use(engine).start(input)
  return plans.spending(app, spent, async () => {
    const running = await app.use(engine).start(input)
    await running.accepted
    return running
  })
}

/** As `engine.enqueue`, counted as `start` does: 402 `plans.limit_reached`. */
export type Enqueue = (tx: TxCtx, input: EnqueueExecution) => Promise<boolean>

/** For work that starts executions in a transaction of its own: what was counted for them is given back when that fails. */
export const enqueueing = async <T>(app: App, work: (enqueue: Enqueue) => Promise<T>): Promise<T> => {
  const taken: plans.Spent[] = []
  try {
    return await work(async (tx, input) => {
      const spent = await plans.checkFor(app, input.workspace_id, one_execution)
      if (spent !== null) taken.push(spent)
      const is_new = await app.use(engine).enqueue(tx, input)
      if (!is_new && spent !== null) await plans.refund(app, taken.pop() as plans.Spent)
      return is_new
    })
  } catch (error) {
    for (const spent of taken)
      await plans
        .refund(app, spent)
        .catch((failure: unknown) => app.log.warn({ err: failure }, 'what was taken from a plan for nothing could not be given back'))
    throw error
  }
}
