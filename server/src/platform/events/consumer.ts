import type { App } from '../context.ts'
import type { RecordedEvent } from './event.ts'

/**
 * Something that reacts to events after they are committed.
 *
 * - `durable`: handled by one process at a time, in order, from a cursor in the database; the cursor moves in the handler's
 *   own transaction or after it, so an event is handled at least once. A handler that throws is tried again with back-off
 *   and holds its own cursor only.
 * - `every_process`: each process hears every event from the moment it started, for what it holds in memory (sessions,
 *   triggers, sockets). After a lost connection `lost` is called, because events may have been missed.
 */
export interface Consumer {
  readonly name: string
  readonly delivery: 'durable' | 'every_process'
  /** Event names; a trailing `*` matches the rest: `identity.*`. */
  readonly events: readonly string[]
  readonly handle: (app: App, events: readonly RecordedEvent[]) => void | Promise<void>
  readonly lost?: (app: App) => void | Promise<void>
}

export const defineConsumer = (consumer: Consumer): Consumer => consumer
