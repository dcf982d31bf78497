import type { Sql } from 'postgres'
import type { Logger } from '../../platform/log.ts'
import { errors } from '../errors.ts'
import type { Entry } from './record.ts'
import { commitBatch } from './commit-batch.ts'
import { isTransient } from './transient.ts'

/**
 * Group commit. Executions hand in entries; whatever has gathered goes out in one statement, at most two at a time, so that
 * one batch fills while another is being made durable. With nothing in flight an entry leaves at the end of the current turn of
 * the event loop: alone it pays one commit, under load hundreds share one.
 */
export interface JournalWriter {
  /** Resolves when the entry is durable. Rejects with `engine.lease_lost` or `engine.journal_failed`; then nothing of it was written. */
  readonly commit: (entry: Entry) => Promise<void>
  /** Resolves when everything handed in so far is settled. */
  readonly drained: () => Promise<void>
  /** Stops retrying while the database is away; what is waiting is rejected. */
  readonly close: () => void
}

export interface WriterOptions {
  readonly sql: Sql
  readonly lease: () => { readonly id: string; readonly epoch: number }
  readonly log: Logger
  readonly onLeaseLost: (epoch: number) => void
  readonly onCommitted: (batch: { readonly entries: number; readonly finished: boolean }) => void
}

interface Waiting {
  readonly entry: Entry
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const limits = { in_flight: 2, entries: 1_000, bytes: 8 * 1024 * 1024 }

export const journalWriter = (options: WriterOptions): JournalWriter => {
  let waiting: Waiting[] = []
  let inFlight = 0
  let scheduled = false
  let closed = false
  let idle: (() => void)[] = []

  const take = (): Waiting[] => {
    let bytes = 0
    let count = 0
    while (count < waiting.length && count < limits.entries && bytes < limits.bytes) bytes += (waiting[count++] as Waiting).entry.body.length
    const batch = count === waiting.length ? waiting : waiting.slice(0, count)
    waiting = count === waiting.length ? [] : waiting.slice(count)
    return batch
  }

  const pump = (): void => {
    scheduled = false
    while (inFlight < limits.in_flight && waiting.length > 0) {
      inFlight++
      void send(take()).finally(() => {
        inFlight--
        if (waiting.length > 0) pump()
        else if (inFlight === 0) for (const resolve of idle.splice(0)) resolve()
      })
    }
  }

  /** Sends a batch until it is answered. One refused for what it holds is halved until the culprit stands alone. */
  const send = async (batch: readonly Waiting[]): Promise<void> => {
    const lease = options.lease()
    for (let attempt = 0; ; attempt++) {
      try {
        const held = await commitBatch(
          options.sql,
          lease,
          batch.map((item) => item.entry),
        )
        if (held) {
          options.onCommitted({ entries: batch.length, finished: batch.some((item) => item.entry.finish !== null) })
          for (const item of batch) item.resolve()
        } else {
          options.onLeaseLost(lease.epoch)
          for (const item of batch) item.reject(errors.lease_lost())
        }
        return
      } catch (error) {
        if (!isTransient(error)) return refused(batch, error)
        if (closed) return batch.forEach((item) => item.reject(errors.journal_failed({ cause: error })))
        if (attempt === 0) options.log.warn({ err: error }, 'the database is out of reach: the journal waits for it')
        await new Promise((resolve) => setTimeout(resolve, Math.min(20 * 2 ** attempt, 500)))
      }
    }
  }

  const refused = async (batch: readonly Waiting[], error: unknown): Promise<void> => {
    if (batch.length > 1) {
      const middle = batch.length >> 1
      await send(batch.slice(0, middle))
      return send(batch.slice(middle))
    }
    const [item] = batch
    options.log.error({ err: error, execution_id: item?.entry.execution_id }, 'the database refused a journal entry')
    item?.reject(errors.journal_failed({ cause: error }))
  }

  return {
    commit: (entry) =>
      new Promise((resolve, reject) => {
        waiting.push({ entry, resolve, reject })
        if (!scheduled && inFlight < limits.in_flight) {
          scheduled = true
          setImmediate(pump)
        }
      }),
    drained: () =>
      inFlight === 0 && waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => void idle.push(resolve)),
    close: () => void (closed = true),
  }
}
