import { setImmediate as nextTurn } from 'node:timers/promises'

/** Work that may be interrupted wherever it yields. */
export type Interruptible<T> = Generator<undefined, T, undefined>

/** Does the work without a break. */
export const atOnce = <T>(work: Interruptible<T>): T => {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
  }
}

/** Does the work a few milliseconds at a time, so that whatever else the process has to do is done in between. */
export const inTurns = async <T>(work: Interruptible<T>, turn_ms = 5): Promise<T> => {
  for (;;) {
    const until = performance.now() + turn_ms
    do {
      const { done, value } = work.next()
      if (done === true) return value
    } while (performance.now() < until)
    await nextTurn()
  }
}

/** Takes pieces of work and does one in each turn of the event loop, in their order. A piece must not throw. */
export const onePerTurn = (): ((work: () => void) => void) => {
  const waiting: (() => void)[] = []
  const next = (): void => {
    const work = waiting.shift()
    if (waiting.length > 0) setImmediate(next)
    work?.()
  }
  return (work) => {
    if (waiting.push(work) === 1) setImmediate(next)
  }
}
