import type { App } from '../context.ts'
import type { Scope } from '../database/scope.ts'
import { type Consumer, eventsOf } from './consumer.ts'
import { beginningOfLog, filterOf, type Position, readNext, startOfLog } from './log.ts'
import { onWake } from './on-wake.ts'

/** Works one durable consumer off, for as long as this process is the one that owns it. */
export interface DurableLoop {
  /** Looks whether there is something to do. Cheap to call often. */
  readonly wake: () => void
  /** Resolves when the batch that is being handled is done, and no other is begun. */
  readonly stop: () => Promise<void>
}

interface Cursor extends Position {
  readonly revision: number
}

const size = 500
const gap_ms = 20
const first_delay_ms = 250
const longest_delay_ms = 60_000
/** How often a cursor is written that has moved past events of others only. */
const save_ms = 60_000
const asSystem: Scope = { role: 'millrace_system', user_id: null, workspace_id: null }

export const durableLoop = (app: App, consumer: Consumer, owned: () => boolean): DurableLoop => {
  let retry: NodeJS.Timeout | null = null
  const waker = onWake(gap_ms, async () => {
    if (retry !== null) return
    try {
      while (await handler.step());
    } catch (error) {
      const delay_ms = handler.fail(error)
      retry = setTimeout(() => {
        retry = null
        waker.wake()
      }, delay_ms)
    }
  })
  const handler = batchHandler(app, consumer, () => owned() && !waker.stopped())
  return {
    wake: waker.wake,
    stop: async () => {
      if (retry !== null) clearTimeout(retry)
      await waker.stop()
    },
  }
}

interface BatchHandler {
  /** Handles one batch, if there is any; answers whether to go on at once. */
  readonly step: () => Promise<boolean>
  /** Takes note of what `step` threw; answers after how many milliseconds to try again. */
  readonly fail: (error: unknown) => number
}

const batchHandler = (app: App, consumer: Consumer, mayGoOn: () => boolean): BatchHandler => {
  const filter = filterOf(eventsOf(consumer, app.modules))
  const read = app.database.readSql(asSystem)
  let cursor: Cursor | null = null
  let savedAt = 0
  let failures = 0
  // How many events are still taken one by one, so that only the one that fails stays behind and none before it is repeated.
  let careful = 0

  const moveTo = async (from: Cursor, to: Position, handled: number): Promise<void> => {
    const worthSaving = handled > 0 || (to.snapshot !== from.snapshot && performance.now() - savedAt > save_ms)
    if (worthSaving) savedAt = performance.now()
    cursor = worthSaving ? await saveCursor(app, consumer.name, from, to) : { ...to, revision: from.revision }
  }

  return {
    step: async () => {
      if (!mayGoOn()) {
        // Whoever owns it next may move it.
        cursor = null
        return false
      }
      const at = (cursor ??= await loadCursor(app, consumer.name))
      const { events, next, more } = await readNext(read, at, filter, careful > 0 ? 1 : size)
      if (!mayGoOn()) return false
      if (events.length > 0) await consumer.handle(app, events)
      await moveTo(at, next, events.length)
      careful = Math.max(0, careful - events.length)
      failures = 0
      return more
    },
    fail: (error) => {
      cursor = null
      careful = size
      const delay_ms = Math.min(first_delay_ms * 2 ** failures++, longest_delay_ms)
      app.log.error({ err: error, consumer: consumer.name, failures, delay_ms }, 'an event consumer failed; it will try again')
      return delay_ms
    },
  }
}

/** Makes the cursor where there is none. */
export const ensureCursor = async (app: App, { name, since }: Consumer): Promise<void> => {
  const start = since === 'beginning' ? beginningOfLog : startOfLog
  await app.database.system.unsafe(
    `insert into event_cursors (consumer, snapshot, floor) select $1, now.snapshot::pg_snapshot, now.floor from (${start}) as now on conflict do nothing`,
    [name],
    { prepare: true },
  )
}

const loadCursor = async (app: App, consumer: string): Promise<Cursor> => {
  const [row] = await app.database.system.unsafe<Cursor[]>(
    'select snapshot::text, floor, target::text, seq, revision from event_cursors where consumer = $1',
    [consumer],
    { prepare: true },
  )
  if (row === undefined) throw new Error(`The consumer ${consumer} has no cursor.`)
  return { ...row }
}

/** Fails when another process has moved it: then this one has lost the consumer without knowing, and must look again. */
const saveCursor = async (app: App, consumer: string, from: Cursor, to: Position): Promise<Cursor> => {
  const rows = await app.database.system.unsafe(
    `update event_cursors
    set snapshot = $2::pg_snapshot, floor = $3, target = $4::pg_snapshot, seq = $5, revision = revision + 1, updated_at = now()
    where consumer = $1 and revision = $6`,
    [consumer, to.snapshot, to.floor, to.target, to.seq, from.revision],
    { prepare: true },
  )
  if (rows.count === 0) throw new Error(`The cursor of ${consumer} was moved by another process.`)
  return { ...to, revision: from.revision + 1 }
}
