import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../context.ts'
import type { Run } from '../database/dialect.ts'
import type { Consumer } from './consumer.ts'
import { filterOf, matches, type Position, readNext } from './log.ts'

/** Hands every new event to the consumers that each process has, and says when there is anything new at all. */
export interface Tail {
  readonly wake: () => void
  /** Tells the consumers that events may have been missed. */
  readonly lost: () => void
  readonly stop: () => Promise<void>
}

const size = 1_000
const gap_ms = 5

export const tailLog = (app: App, run: Run, consumers: readonly Consumer[], start: Position, onNews: () => void): Tail => {
  const listeners = consumers.map((consumer) => ({ consumer, filter: filterOf(consumer.events) }))
  // Read whole: what nobody here listens to still is news for the durable consumers.
  const everything = { names: [], prefixes: [''] }
  let position = start
  let wanted = false
  let missed = false
  let stopped = false
  let running: Promise<void> | null = null

  const tellLost = async (consumer: Consumer): Promise<void> => {
    try {
      await consumer.lost?.(app)
    } catch (error) {
      app.log.error({ err: error, consumer: consumer.name }, 'an event consumer could not make up for events that it may have missed')
    }
  }

  const step = async (): Promise<boolean> => {
    const { events, next, more } = await readNext(run, position, everything, size)
    position = next
    if (events.length > 0) onNews()
    for (const { consumer, filter } of listeners) {
      const own = events.filter((event) => matches(filter, event.name))
      if (own.length === 0) continue
      try {
        await consumer.handle(app, own)
      } catch (error) {
        // The consumer's picture of the world is now behind: let it draw a new one.
        app.log.error({ err: error, consumer: consumer.name }, 'an event consumer failed')
        await tellLost(consumer)
      }
    }
    return more
  }

  const work = async (): Promise<void> => {
    while (wanted && !stopped) {
      wanted = false
      try {
        while (!stopped && (await step()));
        if (missed) {
          missed = false
          await Promise.all(consumers.map(tellLost))
        }
      } catch (error) {
        // The next wake or poll tries again from the same position: nothing is skipped.
        app.log.warn({ err: error }, 'the event log cannot be read')
        return
      }
      await sleep(gap_ms)
    }
  }

  const wake = (): void => {
    wanted = true
    if (stopped || running !== null) return
    running = work().finally(() => {
      running = null
      if (wanted) wake()
    })
  }

  return {
    wake,
    lost: () => {
      missed = true
      wake()
    },
    stop: async () => {
      stopped = true
      await running
    },
  }
}
