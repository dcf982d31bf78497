import type { Sql } from 'postgres'
import type { Logger } from '../../platform/log.ts'
import { isTransient } from '../journal/transient.ts'
import { freeOwn, heartbeat, type LeaseRow, register, resign, takeOver } from './lease-sql.ts'

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
  /** Frees what an earlier run of this server held, then calls `onWork`. Once, after start. */
  readonly recover: () => Promise<void>
  /** Ends what is held under `epoch`, if that is still the current one, and registers anew. */
  readonly lost: (epoch: number) => void
  readonly stop: () => Promise<void>
}

export interface Work {
  readonly queued: boolean
  readonly cancels: boolean
}

export interface LeaseOptions {
  readonly sql: Sql
  readonly worker_id: string
  readonly takeover_ms: number
  readonly log: Logger
  /** Called after the lease was lost and before a new one is taken. */
  readonly onLost: () => void
  /** Called once a second at most, when executions are queued or ends were asked for, and once after each registration. */
  readonly onWork: (work: Work) => Promise<void>
}

const beat_ms = 1_000

export const holdLease = async (options: LeaseOptions): Promise<Lease> => {
  const { sql, log } = options
  let row = await register(sql, options.worker_id)
  let stopped = false
  let renewing: Promise<void> | null = null
  let beating: Promise<void> | null = null

  const recoverOwn = async (): Promise<void> => {
    const freed = await freeOwn(sql, row)
    if (freed > 0) log.info({ executions: freed }, 'taking up the executions that an earlier run of this server left')
    await options.onWork({ queued: true, cancels: false })
  }

  const renew = async (): Promise<void> => {
    options.onLost()
    log.warn({ worker_id: row.id, epoch: row.epoch }, 'the lease was lost: dropping what was held and registering again')
    while (!stopped) {
      try {
        row = await register(sql, options.worker_id)
        return await recoverOwn()
      } catch (error) {
        if (!isTransient(error)) throw error
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
  }

  const lost = (epoch: number): void => {
    if (stopped || renewing !== null || epoch !== row.epoch) return
    renewing = renew()
      .catch((error: unknown) => log.error({ err: error }, 'registering the worker again failed'))
      .finally(() => void (renewing = null))
  }

  const beat = async (): Promise<void> => {
    const held = row
    try {
      const pulse = await heartbeat(sql, held, options.takeover_ms)
      if (stopped) return
      if (pulse === null) return lost(held.epoch)
      const freed = pulse.somebody_died ? await takeOver(sql, options.takeover_ms) : 0
      if (freed > 0) log.warn({ executions: freed }, 'a worker has gone silent: its executions are taken over')
      if (freed > 0 || pulse.queued || pulse.cancels) await options.onWork({ queued: freed > 0 || pulse.queued, cancels: pulse.cancels })
    } catch (error) {
      if (!stopped) log.warn({ err: error }, 'a heartbeat failed')
    }
  }

  const timer = setInterval(() => {
    if (beating !== null || renewing !== null) return
    beating = beat().finally(() => void (beating = null))
  }, beat_ms)

  return {
    row: () => row,
    recover: recoverOwn,
    lost,
    stop: async () => {
      if (stopped) return
      stopped = true
      clearInterval(timer)
      await beating
      await renewing
      await resign(sql, row)
    },
  }
}
