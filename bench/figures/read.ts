import { join } from 'node:path'
import { type Account, signUp } from '../account.ts'
import { type Bench, median, round } from '../bench.ts'
import { startCeiling } from '../ceilings/ceiling.ts'
import { withCeilingDatabase } from '../database.ts'
import { type AccountedRun, figuresOf, runAccounted } from '../load/accounted.ts'
import type { LoadRequest } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf } from '../load/load.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'
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

export const read: Bench = {
  name: 'read',
  summary: 'GET /api/v1/users/profile with a bearer token, under row-level security',
  run: ({ seconds, rounds: turns, profile_dir }, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir })
      try {
        const accounts = await Promise.all(Array.from({ length: users }, (_, number) => signUp(server.port, number)))
        const profiles = await profilesOf(accounts)
        await withCeilingDatabase(server.database, async (database) => {
          const bare = await startCeiling<{ tokens: readonly string[] }>('read', database)
          const rows = bare.tokens.map((token) => get('/profile', token, null))
          const measure = ({ port, pid }: { port: number; pid: number }, requests: readonly LoadRequest[]): Promise<Runs<AccountedRun>> =>
            undisturbed(() =>
              runAccounted(
                { pid, database_below: server.pid },
                { ...asFastAsRepliesCome, port, clients, requests, warm_up_s, measured_s: seconds },
              ),
            )
          const rounds: { readonly bare: Runs<AccountedRun>; readonly ours: Runs<AccountedRun> }[] = []
          for (let turn = 0; turn < turns; turn++) rounds.push({ bare: await measure(bare, rows), ours: await measure(server, profiles) })
          await bare.stop()
          const ceiling = median(
            rounds.map((one) => one.bare.chosen),
            (run) => run.requests_per_s,
          )
          const ours = median(
            rounds.map((one) => one.ours.chosen),
            (run) => run.requests_per_s,
          )
          const complaints = rounds.flatMap((one) => [...one.bare.all, ...one.ours.all].flatMap(complaintsOf))
          report({
            figure: 'read',
            conditions: { clients, users, seconds, rounds: rounds.length },
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
