import { monitorEventLoopDelay } from 'node:perf_hooks'

/** How busy the process is. A request compares two numbers; the measuring is done aside. */
export interface Load {
  readonly in_flight: () => number
  readonly enter: () => void
  readonly leave: () => void
  /** Resolves as soon as no request is being worked on. */
  readonly idle: () => Promise<void>
  readonly overloaded: () => boolean
  readonly delay_ms: () => number
  readonly stop: () => void
}

const sample_ms = 500

/**
 * Overloaded is: more than `max_in_flight` requests are being worked on, or the event loop was late by more than
 * `max_delay_ms` on average in two samples in a row. One long stall is over when it is seen, and sheds nothing.
 */
export const measureLoad = (max_in_flight: number, max_delay_ms: number): Load => {
  const resolution = 20
  const histogram = monitorEventLoopDelay({ resolution })
  histogram.enable()
  let before = 0
  let now = 0
  const timer = setInterval(() => {
    before = now
    now = histogram.count === 0 ? 0 : Math.max(0, histogram.mean / 1e6 - resolution)
    histogram.reset()
  }, sample_ms)
  timer.unref()
  let in_flight = 0
  const waiting: (() => void)[] = []
  return {
    in_flight: () => in_flight,
    enter: () => void (in_flight += 1),
    leave: () => {
      in_flight -= 1
      if (in_flight === 0) for (const resolve of waiting.splice(0)) resolve()
    },
    idle: () => (in_flight === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve))),
    overloaded: () => in_flight > max_in_flight || (now > max_delay_ms && before > max_delay_ms),
    delay_ms: () => now,
    stop: () => {
      clearInterval(timer)
      histogram.disable()
    },
  }
}
