import type { StartExecution } from '../../engine/contract.ts'
import { engine, type Running } from '../../engine/engine.ts'
import type { App } from '../../platform/context.ts'
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
