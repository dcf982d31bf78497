import type { Sql } from 'postgres'
import { isTransient } from '../../platform/database/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { errors } from '../errors.ts'
import { most_in_row } from './large-records.ts'
import type { Entry } from './record.ts'
import { commitBatch } from './commit-batch.ts'

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
  /** The lease is lost: rejects what waits to be sent. Under the lease that comes next it would be written past whoever goes on with it. */
  readonly drop: () => void
  /** Stops retrying while the database is away; what is waiting is rejected. */
  readonly close: () => void
}

export interface WriterOptions {
  readonly sql: Sql
  readonly lease: () => { readonly id: string; readonly epoch: number }
  readonly log: Logger
  /** Unix milliseconds. */
  readonly now: () => number
  readonly onLeaseLost: (epoch: number) => void
  /** Makes what is large durable elsewhere; answers what is written instead. Never rejects. Without it all is written as it is. */
  readonly setAside?: (entry: Entry) => Promise<Entry>
  /** Events have been committed. Called at most every 50 ms. */
  readonly onEvents: () => void
}

interface Waiting {
  readonly entry: Entry
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const tell_after_ms = 50
const limits = { in_flight: 2, entries: 1_000, bytes: 8 * 1024 * 1024 }

/** Everything of one writer that changes. */
interface Desk {
  readonly options: WriterOptions
  waiting: Waiting[]
  in_flight: number
  /** Large entries that are on their way: set aside, or handed in after that. */
  setting_aside: number
  /** How often the lease was lost. */
  dropped: number
  scheduled: boolean
  closed: boolean
  telling: boolean
  readonly idle: (() => void)[]
}

export const journalWriter = (options: WriterOptions): JournalWriter => {
  const desk: Desk = {
    options,
    waiting: [],
    in_flight: 0,
    setting_aside: 0,
    dropped: 0,
    scheduled: false,
    closed: false,
    telling: false,
    idle: [],
  }
  return {
    commit: (entry) => {
      const { setAside } = options
      return entry.body.length > most_in_row && setAside !== undefined ? enterLarge(desk, entry, setAside) : enter(desk, entry)
    },
    drained: () => (isIdle(desk) ? Promise.resolve() : new Promise((resolve) => void desk.idle.push(resolve))),
    drop: () => {
      desk.dropped += 1
      for (const { reject } of desk.waiting.splice(0)) reject(errors.lease_lost())
    },
    close: () => void (desk.closed = true),
  }
}

const enter = (desk: Desk, entry: Entry): Promise<void> =>
  new Promise((resolve, reject) => {
    desk.waiting.push({ entry, resolve, reject })
    if (desk.scheduled || desk.in_flight >= limits.in_flight) return
    desk.scheduled = true
    setImmediate(pump, desk)
  })

const enterLarge = async (desk: Desk, entry: Entry, setAside: (entry: Entry) => Promise<Entry>): Promise<void> => {
  const { dropped } = desk
  desk.setting_aside += 1
  try {
    const small = await setAside(entry)
    // Under the lease that comes next it would be written past whoever goes on with it.
    if (desk.dropped !== dropped) throw errors.lease_lost()
    if (desk.closed) throw errors.draining()
    await enter(desk, small)
  } finally {
    desk.setting_aside -= 1
    if (isIdle(desk)) for (const resolve of desk.idle.splice(0)) resolve()
  }
}

const isIdle = (desk: Desk): boolean => desk.in_flight === 0 && desk.waiting.length === 0 && desk.setting_aside === 0

const pump = (desk: Desk): void => {
  desk.scheduled = false
  while (desk.in_flight < limits.in_flight && desk.waiting.length > 0) {
    desk.in_flight++
    void send(desk, take(desk)).finally(() => {
      desk.in_flight--
      if (desk.waiting.length > 0) pump(desk)
      else if (isIdle(desk)) for (const resolve of desk.idle.splice(0)) resolve()
    })
  }
}

/** The next batch, as large as one statement should be. */
const take = (desk: Desk): Waiting[] => {
  const { waiting } = desk
  let bytes = 0
  let count = 0
  while (count < waiting.length && count < limits.entries && bytes < limits.bytes) bytes += (waiting[count++] as Waiting).entry.body.length
  desk.waiting = count === waiting.length ? [] : waiting.slice(count)
  return count === waiting.length ? waiting : waiting.slice(0, count)
}

/** Sends a batch until it is answered. */
const send = async (desk: Desk, batch: readonly Waiting[]): Promise<void> => {
  const { options } = desk
  const lease = options.lease()
  const entries = batch.map((item) => item.entry)
  for (let attempt = 0; ; attempt++) {
    try {
      const second = await commitBatch(options.sql, lease, entries, options.now(), attempt > 0)
      if (second === null) options.onLeaseLost(lease.epoch)
      else if (entries.some((entry) => (entry.finish?.event ?? null) !== null)) tell(desk)
      for (const item of batch) {
        if (second === null) item.reject(errors.lease_lost())
        else if (second.size > 0 && second.has(item.entry.execution_id)) item.reject(errors.started_already())
        else item.resolve()
      }
      return
    } catch (error) {
      if (!isTransient(error)) return refused(desk, batch, error)
      if (desk.closed) {
        for (const item of batch) item.reject(errors.draining({ cause: error }))
        return
      }
      if (attempt === 0) options.log.warn({ err: error }, 'the database is out of reach: the journal waits for it')
      await new Promise((resolve) => setTimeout(resolve, Math.min(20 * 2 ** attempt, 500)))
    }
  }
}

/** Under load thousands of executions end each second; whoever reads the log wants to be woken, not shaken. */
const tell = (desk: Desk): void => {
  if (desk.telling) return
  desk.telling = true
  setTimeout(() => {
    desk.telling = false
    desk.options.onEvents()
  }, tell_after_ms).unref()
}

/** A batch refused for what it holds is halved until the culprit stands alone. */
const refused = async (desk: Desk, batch: readonly Waiting[], error: unknown): Promise<void> => {
  if (batch.length > 1) {
    const middle = batch.length >> 1
    await send(desk, batch.slice(0, middle))
    return send(desk, batch.slice(middle))
  }
  const [item] = batch
  desk.options.log.error({ err: error, execution_id: item?.entry.execution_id }, 'the database refused a journal entry')
  item?.reject(errors.journal_failed({ cause: error }))
}
