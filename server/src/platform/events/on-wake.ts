import { setTimeout as sleep } from 'node:timers/promises'

export interface Waker {
  readonly wake: () => void
  readonly stopped: () => boolean
  /** Resolves when the run that is under way is over; no other begins. */
  readonly stop: () => Promise<void>
}

/**
 * Runs `work` when it is woken, one run at a time and at least `gap_ms` apart; however often it is woken meanwhile, one more run
 * makes up for all. `work` deals with its own errors.
 */
export const onWake = (gap_ms: number, work: () => Promise<void>): Waker => {
  let wanted = false
  let stopped = false
  let running: Promise<void> | null = null

  const run = async (): Promise<void> => {
    while (wanted && !stopped) {
      wanted = false
      await work()
      await sleep(gap_ms)
    }
  }
  const wake = (): void => {
    wanted = true
    if (stopped || running !== null) return
    running = run().finally(() => {
      running = null
      if (wanted) wake()
    })
  }
  return {
    wake,
    stopped: () => stopped,
    stop: async () => {
      stopped = true
      await running
    },
  }
}
