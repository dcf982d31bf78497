import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { kyselyOver } from './dialect.ts'
import { errors, isCollision, isConnectionLoss, unavailable } from './errors.ts'
import { keepLink, type KeptLink } from './keep.ts'
import { type ConnectionOptions, connectionLost, type Link, type Rows } from './link.ts'
import { beginInScope, type Scope } from './scope.ts'
import type { Database } from './types.ts'

export interface OpenTransaction {
  readonly db: Kysely<Database>
  /** Runs one statement in the transaction. */
  readonly run: (text: string, parameters: readonly unknown[]) => Promise<Rows>
}

export interface Statement {
  readonly text: string
  readonly parameters: readonly unknown[]
}

export interface Work<T> {
  readonly result: T
  /** A last statement that travels together with the commit. */
  readonly last?: Statement | undefined
}

export interface Writer {
  /**
   * Runs `work` in one transaction and commits. On a collision with another transaction (40001, 40P01) the whole of it runs again, a
   * few times, so `work` must have no effect outside the transaction. Problems: `database.unavailable`, `database.busy`,
   * `database.conflict`: nothing was written; `database.outcome_unknown`: the connection went during the commit.
   */
  readonly transaction: <T>(scope: Scope, work: (tx: OpenTransaction) => Promise<Work<T>>) => Promise<T>
  readonly close: () => Promise<void>
}

const limits = { tries: 5, patience_ms: 5_000, queue_ms: 10_000 }

export const openWriter = (connection: ConnectionOptions, size: number): Writer => {
  const pool = linkPool(connection, size)
  return {
    transaction: async (scope, work) => {
      const started = performance.now()
      for (let tries = 1; ; tries++) {
        try {
          return await pool.use((link) => runOnce(link, scope, work))
        } catch (error) {
          const lost = error instanceof NotBegun
          const cause = lost ? error.cause : error
          if (!lost && !isCollision(cause)) throw isConnectionLoss(cause) ? unavailable(cause) : cause
          if (lost && performance.now() - started > limits.patience_ms) throw unavailable(cause)
          if (!lost && tries >= limits.tries) throw errors.conflict({ cause, headers: { 'retry-after': '1' } })
          await sleep(Math.random() * Math.min(10 * 2 ** tries, 250))
        }
      }
    },
    close: pool.close,
  }
}

/** The connection was lost before `work` began; nothing has happened, so trying again is safe. */
class NotBegun extends Error {}

const runOnce = async <T>(kept: KeptLink, scope: Scope, work: (tx: OpenTransaction) => Promise<Work<T>>): Promise<T> => {
  const begin = beginInScope(scope)
  let link: Link
  try {
    link = await kept.open()
    await link.sendSimple(begin)
  } catch (error) {
    if (isConnectionLoss(error)) throw new NotBegun('', { cause: error })
    throw error
  }
  let open = true
  const run = async (text: string, parameters: readonly unknown[]): Promise<Rows> => {
    if (!open) throw new Error('This transaction has ended; a query of it was not awaited, or its context was kept.')
    return link.send(text, parameters)
  }
  try {
    const { result, last } = await work({ db: kyselyOver(run), run })
    open = false
    await commit(link, last)
    return result
  } catch (error) {
    open = false
    // Closing is the fallback: a connection that cannot roll back must not be used again.
    if (link.alive()) await link.sendSimple('rollback').catch(() => link.close(0))
    throw error
  }
}

/** The last statement and the commit go out together; when the statement fails, PostgreSQL makes a rollback of the commit. */
const commit = async (link: Link, last: Statement | undefined): Promise<void> => {
  if (!link.alive()) throw connectionLost()
  const written = last === undefined ? null : link.send(last.text, last.parameters)
  const committed = link.sendSimple('commit')
  const [writing, outcome] = await Promise.allSettled([written, committed])
  if (writing.status === 'rejected' && !isConnectionLoss(writing.reason)) throw writing.reason
  if (outcome.status === 'rejected') {
    throw isConnectionLoss(outcome.reason) ? errors.outcome_unknown({ cause: outcome.reason }) : outcome.reason
  }
  if (outcome.value.command !== 'COMMIT') {
    throw new Error('The transaction was not committed: a statement of it failed and the failure was swallowed.')
  }
}

interface LinkPool {
  readonly use: <T>(work: (link: KeptLink) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** Hands out links one at a time, the last used first, and queues whoever finds none; first come, first served. */
const linkPool = (connection: ConnectionOptions, size: number): LinkPool => {
  const all = Array.from({ length: size }, () => keepLink(writerOptions(connection)))
  const free = [...all]
  const queue: ((link: KeptLink) => void)[] = []

  const take = (): KeptLink | Promise<KeptLink> => {
    const link = free.pop()
    if (link) return link
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(served), 1)
        reject(errors.busy({ headers: { 'retry-after': '2' } }))
      }, limits.queue_ms)
      const served = (given: KeptLink): void => {
        clearTimeout(timer)
        resolve(given)
      }
      queue.push(served)
    })
  }

  const giveBack = (link: KeptLink): void => {
    const next = queue.shift()
    if (next) next(link)
    else free.push(link)
  }

  return {
    use: async (work) => {
      const link = await take()
      try {
        return await work(link)
      } finally {
        giveBack(link)
      }
    },
    close: async () => {
      await Promise.all(all.map((link) => link.close()))
    },
  }
}

// Outside an explicit `begin read write` the connection can write nothing, so a stray statement does no harm.
const writerOptions = (connection: ConnectionOptions) => ({
  connection,
  role: 'millrace_app' as const,
  settings: {
    default_transaction_read_only: 'on',
    statement_timeout: '60s',
    lock_timeout: '10s',
    idle_in_transaction_session_timeout: '60s',
  },
})
