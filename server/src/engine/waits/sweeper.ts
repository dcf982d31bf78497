import type { App } from '../../platform/context.ts'
import { defineService } from '../../platform/service.ts'
import { deliver, undelivered } from './waits.ts'

const every_ms = 5_000

/** Brings what a process that died could not bring any more. What is brought at once, which is nearly all, it never sees. */
interface Sweeper {
  timer: NodeJS.Timeout | null
  sweeping: Promise<void>
}

const sweep = async ({ database: { system: sql }, now, log }: App): Promise<void> => {
  try {
    for (const execution_id of await undelivered(sql)) await deliver(sql, execution_id, now())
  } catch (error) {
    log.warn({ err: error }, 'what waiting steps were called with could not be looked through; it will be tried again')
  }
}

export const waitSweeper = defineService<Sweeper>({
  name: 'engine.wait_sweeper',
  create: () => ({ timer: null, sweeping: Promise.resolve() }),
  start: (sweeper, app) => {
    sweeper.timer = setInterval(() => void (sweeper.sweeping = sweeper.sweeping.then(() => sweep(app))), every_ms).unref()
  },
  stop: async (sweeper) => {
    if (sweeper.timer !== null) clearInterval(sweeper.timer)
    await sweeper.sweeping
  },
})
