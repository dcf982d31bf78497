import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import postgres from 'postgres'
import { signUp } from '../account.ts'
import { type Bench, median } from '../bench.ts'
import type { DatabaseAddress } from '../ceilings/serve.ts'
import { figuresOf, runAccounted, type AccountedRun } from '../load/accounted.ts'
import type { LoadRequest } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf } from '../load/load.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'
import { startServer } from '../server.ts'

const clients = 64
const users = 16
const sessions = 2_048
const warm_up_s = 3
const target = { requests_per_s: 3_200 }

/** Refreshes are limited to 300 a minute and address; so, as in life, they come from many. Linux answers on all of 127.0.0.0/8. */
const addresses = (turn: number): readonly string[] => {
  if (process.platform !== 'linux') throw new Error('this figure needs the many loopback addresses that Linux has')
  return Array.from({ length: 8_000 }, (_, number) => `127.${2 + turn}.${number >> 7}.${1 + (number & 127)}`)
}

const requestOf = (token: string): LoadRequest => ({
  method: 'POST',
  path: '/api/v1/auth/refresh',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ refresh_token: token }),
  carries: { field: 'refresh_token', first: token },
  expect: { status: 200, body: null },
})

/** Sessions as signing in opens them, without the hashes that signing in takes: each with a token that is good for one use. */
const openSessions = async (database: DatabaseAddress): Promise<readonly LoadRequest[]> => {
  const tokens = Array.from({ length: sessions }, () => `mlrr_${randomBytes(32).toString('base64url')}`)
  const hashes = tokens.map((token) => createHash('sha256').update(token).digest('base64url'))
  const sql = postgres({ ...database, max: 1 })
  try {
    await sql`
      with users_in_order as (
        select s.user_id, s.workspace_id, row_number() over (order by s.user_id) - 1 as place, count(*) over () as all_users
        from sessions as s
      ), opened as (
        insert into sessions
          (id, user_id, workspace_id, remember_me, user_agent, address, created_at, last_seen_at, idle_expires_at, expires_at)
        select gen_random_uuid(), u.user_id, u.workspace_id, true, 'bench ' || n.n, '127.0.0.1', now(), now(), now() + interval '30 days',
          now() + interval '90 days'
        from generate_series(1, ${sessions}::int) as n (n)
        join users_in_order as u on u.place = n.n % u.all_users
        returning id, user_agent, idle_expires_at
      )
      insert into refresh_tokens (token_hash, session_id, created_at, expires_at)
      select (${hashes}::text[])[substr(o.user_agent, 7)::int], o.id, now(), o.idle_expires_at
      from opened as o`
    await sql`analyze sessions, refresh_tokens, users`
    return tokens.map(requestOf)
  } finally {
    await sql.end()
  }
}

/** Each reply was one use: as many tokens are used as replies came, each has one child, and no session has ended. */
const reconcile = async (database: DatabaseAddress, replies: number): Promise<readonly string[]> => {
  const sql = postgres({ ...database, max: 1 })
  try {
    const [stored] = await sql<{ used: number; children: number; ended: number }[]>`
      select
        (select count(*)::int from refresh_tokens where used_at is not null) as used,
        (select count(*)::int from refresh_tokens where parent_hash is not null) as children,
        (select count(*)::int from sessions where revoked_at is not null) as ended`
    const right = stored?.used === replies && stored.children === replies && stored.ended === 0
    return right ? [] : [`${replies} refreshes were answered, and the database holds ${JSON.stringify(stored)}`]
  } finally {
    await sql.end()
  }
}

const answered = (runs: readonly Runs<AccountedRun>[]): number =>
  runs.flatMap(({ all }) => all).reduce((sum, { statuses }) => sum + (statuses['200'] ?? 0), 0)

export const refresh: Bench = {
  name: 'refresh',
  summary: 'POST /api/v1/auth/refresh: a token that is good for one use against the next one, over many sessions',
  run: ({ seconds, rounds, profile_dir }, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir })
      try {
        // One after the other: more at once than can be hashed within a second would be turned away.
        for (let number = 0; number < users; number++) await signUp(server.port, number)
        const runs: Runs<AccountedRun>[] = []
        let turn = 0
        for (let round_number = 0; round_number < rounds; round_number++) {
          const measure = async (): Promise<AccountedRun> => {
            // New sessions each time: where the run before left off only its clients knew.
            const requests = await openSessions(server.database)
            const from = { from_addresses: addresses(turn++), requests_per_connection: 100 }
            const load = { ...asFastAsRepliesCome, ...from, port: server.port, clients, requests, warm_up_s, measured_s: seconds }
            return runAccounted({ pid: server.pid, database_below: server.pid }, load)
          }
          runs.push(await undisturbed(measure))
        }
        const ours = median(
          runs.map(({ chosen }) => chosen),
          (run) => run.requests_per_s,
        )
        const complaints = [...runs.flatMap(({ all }) => all.flatMap(complaintsOf)), ...(await reconcile(server.database, answered(runs)))]
        report({
          figure: 'refresh',
          conditions: { clients, sessions, users, seconds, rounds },
          measured: figuresOf(ours),
          ceiling: null,
          ratio: null,
          target,
          met: ours.requests_per_s >= target.requests_per_s && complaints.length === 0,
          complaints,
        })
      } finally {
        await server.stop()
      }
    }),
}
