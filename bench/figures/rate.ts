import { join } from 'node:path'
import { createApp } from '../../server/src/app.ts'
import { modules } from '../../server/src/modules.ts'
import { quotas } from '../../server/src/modules/plans/quotas.ts'
import type { Actor } from '../../server/src/platform/context.ts'
import { startRedis, type TestRedis, withoutRedis } from '../../server/src/platform/counters/redis.testing.ts'
import { createLimits, type Limited } from '../../server/src/platform/http/rate-limit.ts'
import { roles } from '../../server/src/roles.ts'
import { type Bench, type BenchOptions, type Line, median, round } from '../bench.ts'
import { histogram } from '../load/histogram.ts'
import { spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'

const users = 20_000
const warm_up_s = 1
const target = { p99_us: 200 }

interface Subject {
  readonly store: 'memory' | 'postgres' | 'redis'
  readonly plan: 'premium' | 'enterprise'
  readonly at_once: number
}

interface Checks {
  readonly checks_per_s: number
  readonly p50_us: number
  readonly p99_us: number
  readonly cpu_us: number
  readonly foreign_cpu: number
}

/** Requests of as many users, as the limiter sees them. None of them comes near its quota. */
const requestsOf = (plan: string): readonly Limited[] =>
  Array.from({ length: users }, (_, number) => {
    const via = { type: 'session', session_id: `${number}` } as const
    const user_id = `019a9d4c-0000-7000-8000-${String(number).padStart(12, '0')}`
    const actor: Actor = { type: 'user', user_id, role: 'user', workspace_role: 'owner', plan, via, impersonator_id: null }
    return { actor, ip: '198.18.0.1', workspace_id: user_id, rate_headers: null }
  })

type Check = (request: Limited) => Promise<void> | null

const run = async (check: Check, requests: readonly Limited[], at_once: number, seconds: number): Promise<Checks> => {
  // In nanoseconds: a check in memory takes few microseconds.
  const latency = histogram()
  let next = 0
  const end = performance.now() + seconds * 1000
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const request = requests[next++ % users] as Limited
      const since = performance.now()
      const limited = check(request)
      if (limited !== null) await limited
      latency.record((performance.now() - since) * 1e6)
    }
  }
  const { own_s, foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    await Promise.all(Array.from({ length: at_once }, client))
    return { elsewhere_s: 0 }
  })
  return {
    checks_per_s: Math.round(latency.count() / seconds),
    p50_us: round(latency.quantile_us(0.5) / 1000),
    p99_us: round(latency.quantile_us(0.99) / 1000),
    cpu_us: round((own_s * 1e6) / Math.max(1, latency.count())),
    foreign_cpu,
  }
}

const measure = async (
  { store, plan, at_once }: Subject,
  env: { readonly [name: string]: string },
  { seconds, rounds }: BenchOptions,
): Promise<Line> =>
  withDirectory(async (path) => {
    const own = { MILLRACE_DATA_DIR: join(path, 'server'), PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn', MILLRACE_COUNTERS: store }
    const composition = createApp({ modules, roles, env: { ...own, ...env } })
    try {
      const app = await composition.start()
      const check = createLimits({ app, quotas })('GET /bench', [])
      const requests = requestsOf(plan)
      await run(check, requests, at_once, warm_up_s)
      const runs: Runs<Checks>[] = []
      for (let turn = 0; turn < rounds; turn++) runs.push(await undisturbed(() => run(check, requests, at_once, seconds)))
      const ours = median(
        runs.map(({ chosen }) => chosen),
        (one) => one.p99_us,
      )
      const counted = requests.filter(({ rate_headers }) => rate_headers !== null).length
      const right = plan === 'enterprise' ? counted === 0 : counted >= Math.min(users, ours.checks_per_s * seconds)
      const complaints = right ? [] : [`${counted} requests were counted`]
      const judged = store === 'memory'
      return {
        figure: 'rate',
        conditions: { store, plan, at_once, users, in_process: true, seconds, rounds },
        measured: { ...ours },
        ceiling: null,
        ratio: null,
        target: judged ? target : null,
        met: judged ? ours.p99_us <= target.p99_us && complaints.length === 0 : null,
        complaints,
      }
    } finally {
      await composition.stop()
    }
  })

const subjects: readonly Subject[] = [
  { store: 'memory', plan: 'enterprise', at_once: 1 },
  { store: 'memory', plan: 'premium', at_once: 1 },
  { store: 'redis', plan: 'premium', at_once: 1 },
  { store: 'redis', plan: 'premium', at_once: 64 },
  { store: 'postgres', plan: 'premium', at_once: 1 },
  { store: 'postgres', plan: 'premium', at_once: 64 },
]

export const rate: Bench = {
  name: 'rate',
  summary: 'the check of a request against the quota of its caller: counted in memory, in Redis where there is one, in PostgreSQL',
  run: async (options, report) => {
    const redis: TestRedis | null = withoutRedis === null ? await startRedis() : null
    try {
      for (const subject of subjects) {
        if (subject.store !== 'redis') report(await measure(subject, {}, options))
        else if (redis !== null) report(await measure(subject, { REDIS_URL: redis.url }, options))
      }
      if (redis === null) process.stderr.write(`rate: Redis is left out: ${withoutRedis}\n`)
    } finally {
      await redis?.close()
    }
  },
}
