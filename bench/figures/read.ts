import { join } from 'node:path'
import { type Account, signUp } from '../account.ts'
import { type Bench, type Facts, median, round } from '../bench.ts'
import { startCeiling } from '../ceilings/ceiling.ts'
import { withCeilingDatabase } from '../database.ts'
import type { LoadRequest, LoadResult } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf, runLoad } from '../load/load.ts'
import { untilQuiet } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { startServer } from '../server.ts'

const clients = 64
const users = 16
const warm_up_s = 3
const target = { requests_per_s: 6_000 }

const get = (path: string, token: string, body: string | null): LoadRequest => ({
  method: 'GET',
  path,
  headers: { authorization: `Bearer ${token}` },
  body: null,
  expect: { status: 200, body },
})

/** The profile of each account; a reply with anybody else's is a wrong one. */
export const profilesOf = (accounts: readonly Account[]): Promise<readonly LoadRequest[]> =>
  Promise.all(accounts.map(async (account) => get('/api/v1/users/profile', account.token, await account.read('/users/profile'))))

export const figuresOf = (run: LoadResult): Facts => ({
  requests_per_s: run.requests_per_s,
  p50_ms: round(run.p50_ms),
  p90_ms: round(run.p90_ms),
  p99_ms: round(run.p99_ms),
  max_ms: round(run.max_ms),
})

export const read: Bench = {
  name: 'read',
  summary: 'GET /api/v1/users/profile with a bearer token, under row-level security',
  run: (options, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir: options.profile_dir })
      try {
        const accounts = await Promise.all(Array.from({ length: users }, (_, number) => signUp(server.port, number)))
        const profiles = await profilesOf(accounts)
        await withCeilingDatabase(server.database, async (database) => {
          const bare = await startCeiling<{ tokens: readonly string[] }>('read', database)
          const rows = bare.tokens.map((token) => get('/profile', token, null))
          const load = (port: number, requests: readonly LoadRequest[]): Promise<LoadResult> =>
            runLoad({ ...asFastAsRepliesCome, port, clients, requests, warm_up_s, measured_s: options.seconds })
          const foreign_cpu = await untilQuiet()
          const rounds: { readonly bare: LoadResult; readonly ours: LoadResult }[] = []
          for (let turn = 0; turn < options.rounds; turn++) rounds.push({ bare: await load(bare.port, rows), ours: await load(server.port, profiles) })
          await bare.stop()
          const ceiling = median(rounds.map((one) => one.bare), (run) => run.requests_per_s)
          const ours = median(rounds.map((one) => one.ours), (run) => run.requests_per_s)
          const complaints = rounds.flatMap((one) => [...complaintsOf(one.bare), ...complaintsOf(one.ours)])
          report({
            figure: 'read',
            conditions: { clients, users, seconds: options.seconds, rounds: options.rounds, foreign_cpu, generator_cpu: ours.generator_cpu },
            measured: figuresOf(ours),
            ceiling: figuresOf(ceiling),
            ratio: round(ours.requests_per_s / Math.max(1, ceiling.requests_per_s)),
            target,
            met: ours.requests_per_s >= target.requests_per_s && complaints.length === 0,
            complaints,
          })
        })
      } finally {
        await server.stop()
      }
    }),
}
