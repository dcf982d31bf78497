import type { App } from '../context.ts'
import type { Run } from '../database/dialect.ts'
import { type Consumer, eventsOf } from './consumer.ts'
import type { RecordedEvent } from './event.ts'
import { filterOf, matches, type Position, readNext } from './log.ts'
import { onWake } from './on-wake.ts'

/** Hands every new event to the consumers that each process has, and says when there is anything new at all. */
export interface Tail {
  readonly wake: () => void
  /** Tells the consumers that events may have been missed. */
  readonly lost: () => void
  readonly stop: () => Promise<void>
}

const size = 1_000
const gap_ms = 5
/** `consumers` are those of every kind: what a durable one asks for is read too, because it is news to that one. */
export const tailLog = (app: App, run: Run, consumers: readonly Consumer[], start: Position, onNews: () => void): Tail => {
  const wanted = filterOf([...new Set(consumers.flatMap((consumer) => eventsOf(consumer, app.modules)))])
  const everyProcess = consumers.filter((consumer) => consumer.delivery === 'every_process')
  const listeners = everyProcess.map((consumer) => ({ consumer, filter: filterOf(eventsOf(consumer, app.modules)) }))
  let position = start
  let missed = false

  const step = async (): Promise<boolean> => {
    const { events, next, more } = await readNext(run, position, wanted, size)
    position = next
    if (events.length > 0) onNews()
    for (const { consumer, filter } of listeners) {
      const own = events.filter((event) => matches(filter, event.name))
      if (own.length > 0) await hand(app, consumer, own)
    }
    return more
  }
  const waker = onWake(gap_ms, async () => {
    try {
      while (!waker.stopped() && (await step()));
      if (!missed) return
      missed = false
      await Promise.all(everyProcess.map((consumer) => tellLost(app, consumer)))
    } catch (error) {
      // The next wake or poll tries again from the same position: nothing is skipped.
      app.log.warn({ err: error }, 'the event log cannot be read')
    }
  })
  return {
    wake: waker.wake,
    lost: () => {
      missed = true
      waker.wake()
    },
    stop: waker.stop,
  }
}

const hand = async (app: App, consumer: Consumer, events: readonly RecordedEvent[]): Promise<void> => {
  try {
    await consumer.handle(app, events)
  } catch (error) {
    // The consumer's picture of the world is now behind: let it draw a new one.
    app.log.error({ err: error, consumer: consumer.name }, 'an event consumer failed')
    await tellLost(app, consumer)
  }
}

const tellLost = async (app: App, consumer: Consumer): Promise<void> => {
  try {
    await consumer.lost?.(app)
  } catch (error) {
    app.log.error({ err: error, consumer: consumer.name }, 'an event consumer could not make up for events that it may have missed')
  }
}
