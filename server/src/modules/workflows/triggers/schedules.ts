import { setAlarm } from '../../../engine/executor/alarm.ts'
import { iso } from '../../../lib/iso.ts'
import type { App, TxCtx } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { defineService } from '../../../platform/service.ts'
import * as workspaces from '../../workspaces/workspaces.ts'
import { enqueueing, type Enqueue } from '../start.ts'
import * as store from './schedule-store.ts'
import { type Firing, firingOf } from './times.ts'

/**
 * Fires schedules. Every process knows the time of the nearest one and asks for what is due then; each that is due is fired by the one that
 * locks its row, and its executions are written in the transaction that moves the row on: a crash neither loses a time nor fires it twice.
 */
interface ScheduleClock {
  /** The times may have changed: looks what is due, and when to look again. */
  readonly look: () => void
  /** Fires what is due. Resolves with how many executions were started. */
  readonly fire: () => Promise<number>
}

interface Clock extends ScheduleClock {
  readonly stop: () => Promise<void>
}

const why = 'schedules are fired for all workspaces'

/** What other processes have published meanwhile is noticed after so long at the latest. */
const poll_ms = 10_000
/** Of a schedule that is due and that another process is about to fire: whether it has. */
const locked_ms = 250
/** Schedules fired in one transaction. */
const batch = 50
/** A workspace that was deleted may be restored: its schedules are looked at again after so long. */
const asleep_ms = 3_600_000

const openClock = (app: App): Clock => {
  let call_off = (): void => undefined
  let looking: Promise<void> | null = null
  let again = false
  let stopped = false

  const lookOnce = async (): Promise<void> => {
    await fireAll(app)
    const soonest = await store.soonest(app.asSystem(why).db)
    call_off()
    if (soonest === null || stopped) return
    const at = Date.parse(soonest)
    call_off = setAlarm(app.now, at > app.now() ? at : app.now() + locked_ms, look)
  }
  const look = (): void => {
    if (stopped) return
    if (looking !== null) return void (again = true)
    again = false
    looking = lookOnce()
      .catch((error: unknown) => app.log.warn({ err: error }, 'schedules could not be looked at; it will be tried again'))
      .finally(() => {
        looking = null
        if (again) look()
      })
  }
  const timer = setInterval(look, poll_ms)
  return {
    look,
    fire: () => fireAll(app),
    stop: async () => {
      stopped = true
      clearInterval(timer)
      call_off()
      await looking
    },
  }
}

const fireAll = async (app: App): Promise<number> => {
  for (let started = 0; ;) {
    const { schedules, executions } = await enqueueing(app, (enqueue) => app.asSystem(why).tx((tx) => fireBatch(tx, enqueue)))
    started += executions
    if (schedules < batch) return started
  }
}

const fireBatch = async (tx: TxCtx, enqueue: Enqueue): Promise<{ readonly schedules: number; readonly executions: number }> => {
  const now = tx.now()
  const rows = await store.lockDue(tx.db, iso(now), batch)
  const alive = await workspaces.namesOf(tx, [...new Set(rows.map(({ workspace_id }) => workspace_id))])
  let executions = 0
  for (const row of rows) {
    const { times, next_at } = firing(tx, row, alive.has(row.workspace_id))
    for (const at of times) executions += (await fireOne(tx, enqueue, row, at)) ? 1 : 0
    await store.moveOn(tx.db, row, next_at === null ? null : iso(next_at))
  }
  return { schedules: rows.length, executions }
}

const firing = (tx: TxCtx, row: store.ScheduleRow, alive: boolean): Firing => {
  const now = tx.now()
  const due_at = Date.parse(row.next_at as string)
  try {
    if (alive) return firingOf(row.recurrence, row.missed, due_at, now)
    const { next_at } = firingOf(row.recurrence, 'skip', due_at, now + asleep_ms)
    return { times: [], next_at }
  } catch (error) {
    // One that was published can be read; a runtime that does not know its zone any more must not stop all others.
    tx.log.error({ err: error, workflow_id: row.workflow_id, node_id: row.node_id }, 'a schedule cannot be read and is tried again later')
    return { times: [], next_at: now + asleep_ms }
  }
}

const fireOne = async (tx: TxCtx, enqueue: Enqueue, row: store.ScheduleRow, at: number): Promise<boolean> => {
  const { workspace_id, workflow_id, version, node_id } = row
  try {
    return await enqueue(tx, {
      ...{ execution_id: tx.newId(), workspace_id, workflow_id, version, mode: 'live', trigger_node_id: node_id },
      trigger_type: 'trigger.schedule',
      payload: { scheduled_at: iso(at), fired_at: iso(tx.now()) },
    })
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    tx.log.warn({ workflow_id, node_id, code: error.code }, 'a schedule was not fired: the plan of its workspace is used up')
    return false
  }
}

export const scheduleClock = defineService<Clock>({
  name: 'workflows.schedule_clock',
  create: openClock,
  start: ({ look }) => look(),
  drain: ({ stop }) => stop(),
  stop: ({ stop }) => stop(),
})
