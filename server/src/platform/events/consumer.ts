import type { App } from '../context.ts'
import type { Module } from '../module.ts'
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
  /** Event names; a trailing `*` matches the rest: `identity.*`. Or which of those that the modules declare. */
  readonly events: readonly string[] | ((modules: readonly Module[]) => readonly string[])
  /** A durable consumer that is new begins with what happens from then on; this one with the oldest event that the log still has. */
  readonly since?: 'beginning'
  readonly handle: (app: App, events: readonly RecordedEvent[]) => void | Promise<void>
  readonly lost?: (app: App) => void | Promise<void>
  /**
   * Also told, in the process that made them, of the events of a transaction right after its commit and before the caller has an
   * answer: who takes a right away and asks again must find it gone. The log brings the same events a moment later.
   */
  readonly atOnce?: (app: App, events: readonly News[]) => void | Promise<void>
}

/** The names that a consumer asks for, in an app of these modules. */
export const eventsOf = ({ events }: Consumer, modules: readonly Module[]): readonly string[] =>
  typeof events === 'function' ? events(modules) : events

/** An event before the log has numbered it. */
export type News = Pick<RecordedEvent, 'name' | 'workspace_id' | 'data'>

export const defineConsumer = (consumer: Consumer): Consumer => consumer
