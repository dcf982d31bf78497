import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../context.ts'
import type { Scope } from '../database/scope.ts'
import type { Consumer } from './consumer.ts'
import { filterOf, type Position, readNext, startOfLog } from './log.ts'

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
const limits = { gap_ms: 20, first_delay_ms: 250, longest_delay_ms: 60_000, save_ms: 60_000 }
const asSystem: Scope = { role: 'millrace_system', user_id: null, workspace_id: null }

export const durableLoop = (app: App, consumer: Consumer, owned: () => boolean): DurableLoop => {
  const filter = filterOf(consumer.events)
  const read = app.database.readSql(asSystem)
  let cursor: Cursor | null = null
  let savedAt = 0
  let failures = 0
  // How many events are still taken one by one, so that only the one that fails stays behind and none before it is repeated.
  let careful = 0
  let wanted = false
  let stopped = false
  let running: Promise<void> | null = null
  let retry: NodeJS.Timeout | null = null

  const save = async (from: Cursor, to: Position): Promise<void> => {
    cursor = await saveCursor(app, consumer.name, from, to)
    savedAt = performance.now()
  }

  /** Handles one batch; answers whether to go on at once. */
  const step = async (): Promise<boolean> => {
    if (stopped || !owned()) return false
    const at = (cursor ??= await loadCursor(app, consumer.name))
    const { events, next, more } = await readNext(read, at, filter, careful > 0 ? 1 : size)
    if (stopped || !owned()) return false
    if (events.length > 0) {
      await consumer.handle(app, events)
      careful = Math.max(0, careful - events.length)
      await save(at, next)
    } else if (next.snapshot !== at.snapshot && performance.now() - savedAt > limits.save_ms) {
      await save(at, next)
    } else {
      cursor = { ...next, revision: at.revision }
    }
    failures = 0
    return more
  }

  const run = async (): Promise<void> => {
    while (wanted && !stopped && owned()) {
      wanted = false
      try {
        while (await step());
      } catch (error) {
        tryLater(error)
        return
      }
      await sleep(limits.gap_ms)
    }
    // Whoever owns it next may move it.
    if (!owned()) cursor = null
  }

  const tryLater = (error: unknown): void => {
    cursor = null
    careful = size
    const delay_ms = Math.min(limits.first_delay_ms * 2 ** failures++, limits.longest_delay_ms)
    app.log.error({ err: error, consumer: consumer.name, failures, delay_ms }, 'an event consumer failed; it will try again')
    retry = setTimeout(() => {
      retry = null
      wake()
    }, delay_ms)
  }

  const wake = (): void => {
    wanted = true
    if (stopped || running !== null || retry !== null || !owned()) return
    running = run().finally(() => {
      running = null
      if (wanted) wake()
    })
  }

  return {
    wake,
    stop: async () => {
      stopped = true
      if (retry !== null) clearTimeout(retry)
      await running
    },
  }
}

/** Makes the cursor where there is none: a new consumer begins with what happens from now on. */
export const ensureCursor = async (app: App, consumer: string): Promise<void> => {
  await app.database.system.unsafe(
    `insert into event_cursors (consumer, snapshot, floor) select $1, now.snapshot::pg_snapshot, now.floor from (${startOfLog}) as now on conflict do nothing`,
    [consumer],
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
