import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Type } from 'typebox'
import { createApp } from '../../server/src/app.ts'
import * as auditing from '../../server/src/modules/audit/audit.ts'
import { recorded } from '../../server/src/modules/audit/entries.testing.ts'
import { verifyAudit } from '../../server/src/modules/audit/verify.ts'
import { modules } from '../../server/src/modules.ts'
import type { App, Ctx } from '../../server/src/platform/context.ts'
import { defineEvent } from '../../server/src/platform/events/event.ts'
import { roles } from '../../server/src/roles.ts'
import { type Bench, type BenchOptions, type Facts, type Line, median, round } from '../bench.ts'
import { histogram } from '../load/histogram.ts'
import { spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'

const events_per_s = 1_000
const workspaces = 20
const target = { lag_p99_ms: 1_000 }

const filled = defineEvent({
  name: 'mill.sack.filled',
  doc: 'A sack was filled.',
  data: Type.Object({ sack_id: Type.String(), name: Type.String() }),
})
const changes = { before: { name: 'Rye', weight: 24 }, after: { name: 'Wheat', weight: 25 } }

interface Followed {
  readonly events_per_s: number
  readonly commit_p50_ms: number
  readonly lag_p50_ms: number
  readonly lag_p99_ms: number
  readonly lag_max_ms: number
  readonly foreign_cpu: number
}

/** Somebody in each workspace, as a request makes them. */
const callers = (app: App): readonly Ctx[] =>
  Array.from({ length: workspaces }, () =>
    app.context({
      actor: {
        type: 'user',
        user_id: app.newId(),
        role: 'user',
        workspace_role: 'owner',
        plan: 'free',
        via: { type: 'session', session_id: app.newId() },
        impersonator_id: null,
      },
      workspace_id: app.newId(),
      request_id: app.newId(),
      client: { address: '198.18.0.1', user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
    }),
  )

/** Changes things at a steady rate, each in a transaction of its own, and watches how long ago what was entered last happened. */
const follow = async (app: App, seconds: number): Promise<Followed> => {
  const people = callers(app)
  const chains = people.map(({ workspace_id }) => workspace_id as string)
  const total = events_per_s * seconds
  const committed: number[] = []
  const commits = histogram()
  const lags = histogram()
  const change = async (number: number): Promise<void> => {
    const since = performance.now()
    const ctx = people[number % workspaces] as Ctx
    await ctx.tx(async (tx) => tx.emit(filled, { sack_id: tx.newId(), name: 'Wheat' }, changes))
    const now = performance.now()
    committed.push(now)
    commits.record((now - since) * 1000)
  }
  const watch = async (): Promise<void> => {
    for (let entered = 0; entered < total; await pause(5)) {
      const [row] = await app.database.system<{ entered: number }[]>`
        select coalesce(sum(seq), 0)::int as entered from audit_chains where chain in ${app.database.system(chains)}`
      entered = row?.entered ?? 0
      const oldest = committed[entered]
      lags.record(oldest === undefined ? 0 : (performance.now() - oldest) * 1000)
    }
  }
  const { foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    const watching = watch()
    const started = performance.now()
    const open: Promise<void>[] = []
    for (let sent = 0; sent < total; await pause(1)) {
      const due = Math.min(total, Math.floor(((performance.now() - started) * events_per_s) / 1000))
      for (; sent < due; sent++) open.push(change(sent))
    }
    await Promise.all(open)
    await watching
    return { elsewhere_s: 0 }
  })
  const took_s = ((committed.at(-1) ?? 0) - (committed[0] ?? 0)) / 1000
  const ms = (of: typeof lags, quantile: number): number => round(of.quantile_us(quantile) / 1000, 1)
  return {
    events_per_s: Math.round(total / took_s),
    commit_p50_ms: ms(commits, 0.5),
    lag_p50_ms: ms(lags, 0.5),
    lag_p99_ms: ms(lags, 0.99),
    lag_max_ms: ms(lags, 1),
    foreign_cpu,
  }
}

/** How fast a backlog is worked off, and how fast a chain is verified. */
const atFullSpeed = async (app: App): Promise<Facts> => {
  const workspace_id = app.newId()
  const count = 10_000
  const batches = Array.from({ length: count / 500 }, () => Array.from({ length: 500 }, () => recorded({ workspace_id, changes })))
  const entering = performance.now()
  for (const batch of batches) await auditing.enter(app, batch)
  const verifying = performance.now()
  const reports = await verifyAudit(app.database.system)
  const done = performance.now()
  const verified = reports.reduce((sum, { seq }) => sum + seq, 0)
  if (reports.some(({ breach }) => breach !== null)) throw new Error('A chain is broken.')
  return {
    entered_per_s: Math.round((count * 1000) / (verifying - entering)),
    verified_per_s: Math.round((verified * 1000) / (done - verifying)),
  }
}

const measure = ({ seconds, rounds }: BenchOptions): Promise<Line> =>
  withDirectory(async (path) => {
    const env = { MILLRACE_DATA_DIR: join(path, 'server'), PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' }
    const composition = createApp({ modules: [...modules, { name: 'mill', events: [filled] }], roles, env })
    try {
      const app = await composition.start()
      const runs: Runs<Followed>[] = []
      for (let turn = 0; turn < rounds; turn++) runs.push(await undisturbed(() => follow(app, seconds)))
      const followed = median(
        runs.map(({ chosen }) => chosen),
        ({ lag_p99_ms }) => lag_p99_ms,
      )
      const complaints = followed.events_per_s < events_per_s * 0.98 ? ['the events did not come at the rate that was asked for'] : []
      return {
        figure: 'audit',
        conditions: { events_per_s, workspaces, in_process: true, seconds, rounds },
        measured: { ...followed, ...(await atFullSpeed(app)) },
        ceiling: null,
        ratio: null,
        target,
        met: followed.lag_p99_ms <= target.lag_p99_ms && complaints.length === 0,
        complaints,
      }
    } finally {
      await composition.stop()
    }
  })

export const audit: Bench = {
  name: 'audit',
  summary: 'how long after it happened a change is in the audit, at 1,000 changes/s; entering and verifying at full speed',
  run: async (options, report) => report(await measure(options)),
}
