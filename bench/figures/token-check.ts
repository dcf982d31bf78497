import { join } from 'node:path'
import { createApp } from '../../server/src/app.ts'
import { authenticate } from '../../server/src/modules/identity/authenticate.ts'
import { newKey } from '../../server/src/modules/identity/keys/key-format.ts'
import { tokenKeys } from '../../server/src/modules/identity/services.ts'
import { modules } from '../../server/src/modules.ts'
import type { App } from '../../server/src/platform/context.ts'
import type { Credentials } from '../../server/src/platform/http/authenticate.ts'
import { httpService } from '../../server/src/platform/http/http-service.ts'
import { roles } from '../../server/src/roles.ts'
import { signUp } from '../account.ts'
import { type Bench, type BenchOptions, type Line, median, round } from '../bench.ts'
import { histogram } from '../load/histogram.ts'
import { spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'

const users = 4
const warm_up_s = 1
const target = { p99_us: 100 }

interface Subject {
  readonly shown: 'access token' | 'access token, never seen before' | 'API key'
  /** Different ones, one after the other. The server remembers 10,000 tokens whose signature it has checked. */
  readonly of: number
  readonly judged: boolean
}

const subjects: readonly Subject[] = [
  { shown: 'access token', of: 5_000, judged: true },
  { shown: 'API key', of: 5_000, judged: true },
  { shown: 'access token, never seen before', of: 30_000, judged: false },
]

interface Owner {
  readonly user_id: string
  readonly workspace_id: string
}

const none: Credentials = { bearer: null, api_key: null, workspace_id: null, ip: '198.18.0.1', user_agent: 'bench' }

/** Access tokens of as many sessions. */
const showTokens = async (app: App, owners: readonly Owner[], count: number): Promise<readonly Credentials[]> => {
  const sessions = Array.from({ length: count }, (_, n) => ({ ...(owners[n % owners.length] as Owner), id: app.newId() }))
  await app.database.system`
    insert into sessions (id, user_id, workspace_id, remember_me, created_at, last_seen_at, idle_expires_at, expires_at)
    select s.id, s.user_id, s.workspace_id, false, now(), now(), now() + interval '1 day', now() + interval '90 days'
    from jsonb_to_recordset(${app.database.system.json(sessions)}) as s (id uuid, user_id uuid, workspace_id uuid)`
  const iat = Math.floor(app.now() / 1000)
  const { sign } = app.use(tokenKeys).current()
  return sessions.map(({ id, user_id, workspace_id }) => {
    const claims = { sub: user_id, sid: id, wid: workspace_id, role: 'user', iat, exp: iat + 3_600 } as const
    return { ...none, bearer: sign(claims) }
  })
}

const showKeys = async (app: App, owners: readonly Owner[], count: number): Promise<readonly Credentials[]> => {
  const keys = Array.from({ length: count }, (_, n) => {
    const id = app.newId()
    const { text, hash } = newKey(id)
    return { ...(owners[n % owners.length] as Owner), id, text, key_hash: hash }
  })
  const rows = keys.map(({ text: _, ...row }) => row)
  await app.database.system`
    insert into api_keys (id, user_id, workspace_id, name, key_hash, permissions, created_at, updated_at)
    select k.id, k.user_id, k.workspace_id, 'bench', k.key_hash, '{workflows:read,account:read}', now(), now()
    from jsonb_to_recordset(${app.database.system.json(rows)}) as k (id uuid, user_id uuid, workspace_id uuid, key_hash text)`
  return keys.map(({ text }) => ({ ...none, api_key: text }))
}

interface Checks {
  readonly checks_per_s: number
  readonly p50_us: number
  readonly p99_us: number
  readonly cpu_us: number
  readonly foreign_cpu: number
}

const run = async (app: App, shown: readonly Credentials[], seconds: number): Promise<Checks> => {
  // In nanoseconds: a check takes few microseconds.
  const latency = histogram()
  let next = 0
  const { own_s, foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    const end = performance.now() + seconds * 1000
    while (performance.now() < end) {
      const credentials = shown[next++ % shown.length] as Credentials
      const since = performance.now()
      const identified = authenticate(app, credentials)
      if (identified instanceof Promise) await identified
      latency.record((performance.now() - since) * 1e6)
      // What else the server has to do goes on meanwhile.
      if (next % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
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

/** Everybody is who they are, and nobody is who shows something else. */
const complaintsOf = async (app: App, shown: readonly Credentials[], owners: readonly Owner[]): Promise<readonly string[]> => {
  const identified = await Promise.all(shown.map(async (credentials) => authenticate(app, credentials)))
  const strangers = identified.filter(
    ({ actor }, n) => actor.type !== 'user' || actor.user_id !== (owners[n % owners.length] as Owner).user_id,
  )
  return strangers.length === 0 ? [] : [`${strangers.length} were taken for somebody else`]
}

const measure = async (app: App, owners: readonly Owner[], subject: Subject, { seconds, rounds }: BenchOptions): Promise<Line> => {
  const { shown: what, of, judged } = subject
  const shown = await (what === 'API key' ? showKeys : showTokens)(app, owners, of)
  const complaints = await complaintsOf(app, shown, owners)
  await run(app, shown, warm_up_s)
  const runs: Runs<Checks>[] = []
  for (let turn = 0; turn < rounds; turn++) runs.push(await undisturbed(() => run(app, shown, seconds)))
  const ours = median(
    runs.map(({ chosen }) => chosen),
    (one) => one.p99_us,
  )
  return {
    figure: 'token-check',
    conditions: { shown: what, of, in_process: true, seconds, rounds },
    measured: { ...ours },
    ceiling: null,
    ratio: null,
    target: judged ? target : null,
    met: judged ? ours.p99_us <= target.p99_us && complaints.length === 0 : null,
    complaints,
  }
}

export const tokenCheck: Bench = {
  name: 'token-check',
  summary: 'who shows an access token or an API key: signature or hash, and what they are now, from memory',
  run: (options, report) =>
    withDirectory(async (path) => {
      const env = { MILLRACE_DATA_DIR: join(path, 'server'), PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' }
      const composition = createApp({ modules, roles, env })
      try {
        const app = await composition.start()
        const port = Number(new URL(app.use(httpService).url()).port)
        for (let number = 0; number < users; number++) await signUp(port, number)
        const owners = await app.database.system<Owner[]>`select distinct user_id, workspace_id from sessions`
        for (const subject of subjects) report(await measure(app, owners, subject, options))
      } finally {
        await composition.stop()
      }
    }),
}
