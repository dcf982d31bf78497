import type { Sql } from 'postgres'
import { isTransient } from '../../platform/database/errors.ts'
import type { Logger } from '../../platform/log.ts'
import { wakeCallers } from '../journal/calls.ts'
import { wake } from './claim.ts'
import { heartbeat, type LeaseRow, register, resign, takeOver } from './lease-sql.ts'

/**
 * A process's right to advance executions: one row with an epoch and a heartbeat.
 *
 *   register → held ──heartbeat answered──→ held
 *                     heartbeat refused ──→ lost: drop everything, register again under a higher epoch
 *                     stop ──→ resigned: what was held is queued for others
 *
 * Whoever was declared dead notices at its next batch (nothing is written) or heartbeat, whichever comes first.
 */
export interface Lease {
  readonly row: () => LeaseRow
  /** Looks for what those who died have left, then calls `onWork`. Once, after start. */
  readonly recover: () => Promise<void>
  /** Ends what is held under `epoch`, if that is still the current one, and registers anew. */
  readonly lost: (epoch: number) => void
  readonly stop: () => Promise<void>
}

export interface Work {
  readonly queued: boolean
  readonly cancels: boolean
  readonly due: boolean
  readonly in_line: boolean
}

export interface LeaseOptions {
  readonly sql: Sql
  readonly worker_id: string
  readonly takeover_ms: number
  /** Unix milliseconds. */
  readonly now: () => number
  /** Ids of the jobs that this process knows. */
  readonly jobs: readonly string[]
  readonly log: Logger
  /** Called after the lease was lost and before a new one is taken. */
  readonly onLost: () => void
  /** Called once a second at most, when executions are queued, ends were asked for or jobs are due, and once after each registration. */
  readonly onWork: (work: Work) => Promise<void>
}

const beat_ms = 1_000

/** Everything of one lease that changes. */
interface Holding {
  readonly options: LeaseOptions
  row: LeaseRow
  stopped: boolean
  renewing: Promise<void> | null
  beating: Promise<void> | null
  working: Promise<void> | null
}

export const holdLease = async (options: LeaseOptions): Promise<Lease> => {
  const row = await enrol(options)
  const holding: Holding = { options, row, stopped: false, renewing: null, beating: null, working: null }
  const timer = setInterval(() => {
    if (holding.beating !== null || holding.renewing !== null) return
    holding.beating = beat(holding).finally(() => void (holding.beating = null))
  }, beat_ms)
  return {
    row: () => holding.row,
    recover: () => lookAround(options),
    lost: (epoch) => lose(holding, epoch),
    stop: async () => {
      if (holding.stopped) return
      holding.stopped = true
      clearInterval(timer)
      await holding.beating
      await holding.renewing
      await holding.working
      await resign(options.sql, holding.row)
    },
  }
}

const all_queued: Work = { queued: true, cancels: false, due: false, in_line: true }

const enrol = async ({ sql, worker_id, log }: LeaseOptions): Promise<LeaseRow> => {
  const { row, freed } = await register(sql, worker_id)
  if (freed > 0) log.info({ executions: freed }, 'taking up the executions that an earlier run of this server left')
  return row
}

/** What those who died have left. */
const lookAround = async ({ sql, onWork }: LeaseOptions): Promise<void> => {
  await wakeCallers(sql)
  await onWork(all_queued)
}

const lose = (holding: Holding, epoch: number): void => {
  if (holding.stopped || holding.renewing !== null || epoch !== holding.row.epoch) return
  holding.renewing = renew(holding)
    .catch((error: unknown) => holding.options.log.error({ err: error }, 'registering the worker again failed'))
    .finally(() => void (holding.renewing = null))
}

const renew = async (holding: Holding): Promise<void> => {
  const { options, row } = holding
  options.onLost()
  options.log.warn({ worker_id: row.id, epoch: row.epoch }, 'the lease was lost: dropping what was held and registering again')
  while (!holding.stopped) {
    try {
      holding.row = await enrol(options)
      return setToWork(holding, () => lookAround(options))
    } catch (error) {
      if (!isTransient(error)) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

const beat = async (holding: Holding): Promise<void> => {
  const { options, row } = holding
  const { sql, log, takeover_ms, jobs } = options
  try {
    const now = options.now()
    const pulse = await heartbeat(sql, row, { takeover_ms, now, jobs })
    if (holding.stopped) return
    if (pulse === null) return lose(holding, row.epoch)
    const freed = pulse.somebody_died ? await takeOver(sql, takeover_ms) : 0
    if (freed > 0) log.warn({ executions: freed }, 'a worker has gone silent: its executions are taken over')
    const called = pulse.somebody_died ? await wakeCallers(sql) : 0
    const woken = called + (pulse.awake ? await wake(sql, now) : 0)
    const queued = freed > 0 || woken > 0 || pulse.queued
    const { cancels, due, in_line } = pulse
    if (queued || cancels || due || in_line) setToWork(holding, () => options.onWork({ queued, cancels, due, in_line }))
  } catch (error) {
    if (!holding.stopped) log.warn({ err: error }, 'a heartbeat failed')
  }
}

/** Beside the heartbeats: to take up thousands of executions may last longer than a heart may stand still. What is left over the next beat sees. */
const setToWork = (holding: Holding, work: () => Promise<void>): void => {
  holding.working ??= work()
    .catch((error: unknown) =>
      holding.options.log.warn({ err: error }, 'what a heartbeat has found could not be done; it will be tried again'),
    )
    .finally(() => void (holding.working = null))
}
