import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from './dialect.ts'
import { isCollision, isConnectionLoss, unavailable } from './errors.ts'
import { keepLink, type KeptLink } from './keep.ts'
import type { ConnectionOptions, Link, Role, Rows } from './link.ts'
import { type Scope, scopeParameters, setScope } from './scope.ts'

/** How long a read keeps trying while the database is away. */
const patience_ms = 5_000

interface Lane {
  readonly link: KeptLink
  waiting: number
}

export interface Reader {
  readonly read: (scope: Scope) => Run
  readonly close: () => Promise<void>
}

/**
 * The read path: a few connections ("lanes") that every request shares. A query goes out right behind the statement that sets
 * its scope, both in one write, so a scoped read costs one round trip; its rows are given out only when its own scope was set.
 *
 * What makes that sound: a lane is one connection that never reconnects, it answers in the order it was asked, and the two
 * statements are handed over in one turn of the event loop, so nothing comes between them. A lane cannot write, and nothing
 * on it is ever cancelled, because that would hit whichever statement happens to run.
 */
export const openReader = (connection: ConnectionOptions, count: { readonly app: number; readonly system: number }): Reader => {
  const make = (role: Role, size: number): Lane[] =>
    Array.from({ length: size }, () => ({ link: keepLink(laneOptions(connection, role)), waiting: 0 }))
  const lanes = { millrace_app: make('millrace_app', count.app), millrace_system: make('millrace_system', count.system) }

  return {
    read: (scope) => (text, parameters) => retrying(() => onLane(quietest(lanes[scope.role]), scope, text, parameters)),
    close: async () => {
      await Promise.all([...lanes.millrace_app, ...lanes.millrace_system].map((lane) => lane.link.close()))
    },
  }
}

const laneOptions = (connection: ConnectionOptions, role: Role) => ({
  connection,
  role,
  settings: { default_transaction_read_only: 'on', statement_timeout: '10s' },
})

const quietest = (lanes: readonly Lane[]): Lane => lanes.reduce((best, lane) => (lane.waiting < best.waiting ? lane : best))

const onLane = async (lane: Lane, scope: Scope, text: string, parameters: readonly unknown[]): Promise<Rows> => {
  lane.waiting++
  try {
    const link = lane.link.current() ?? (await lane.link.open())
    return await inScope(link, scope, text, parameters)
  } finally {
    lane.waiting--
  }
}

const inScope = async (link: Link, scope: Scope, text: string, parameters: readonly unknown[]): Promise<Rows> => {
  // No `await` between the two: the pair must stay together.
  const scoped = link.send(setScope, scopeParameters(scope))
  const rows = link.send(text, parameters)
  const [scopeOutcome, outcome] = await Promise.allSettled([scoped, rows])
  if (scopeOutcome.status === 'rejected') throw scopeOutcome.reason
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}

const retrying = async (attempt: () => Promise<Rows>): Promise<Rows> => {
  const started = performance.now()
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      const lost = isConnectionLoss(error)
      if (!lost && !(isCollision(error) && tries < 4)) throw error
      if (performance.now() - started > patience_ms) throw lost ? unavailable(error) : error
      await sleep(Math.min(20 * 2 ** tries, 250))
    }
  }
}
