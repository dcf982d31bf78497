import { argon2, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Account, signUp } from '../account.ts'
import { type Bench, type Line, median, round } from '../bench.ts'
import type { LoadRequest, LoadResult } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf, runLoad } from '../load/load.ts'
import { spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'
import { startServer } from '../server.ts'
import { profilesOf } from './read.ts'

const login_clients = 8
const read_clients = 8
/** Others' requests, sent by the clock: people do not work faster because others sign in. */
const reads_per_s = 400
const users = 16
const warm_up_s = 3
const target = { logins_per_s: 35, other_requests_p99_ms: 50 }

const hash = promisify(argon2)

/** Hashes per second at the product's cost, with as many under way as libuv has threads for, and nothing else running. */
const bareHashes = async (seconds: number): Promise<number> => {
  const begin = performance.now()
  let hashes = 0
  const work = async (): Promise<void> => {
    while (performance.now() - begin < seconds * 1000) {
      await hash('argon2id', {
        message: 'salt spray on mill wheel',
        nonce: randomBytes(16),
        parallelism: 1,
        tagLength: 32,
        memory: 19_456,
        passes: 2,
      })
      hashes += 1
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return hashes / ((performance.now() - begin) / 1000)
}

const loginOf = ({ email, password }: Account): LoadRequest => ({
  method: 'POST',
  path: '/api/v1/auth/login',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ email, password }),
  expect: { status: 200, body: null },
})

/** Sign-ins are limited to 60 a minute and address; so, as in life, they come from many. Linux answers on all of 127.0.0.0/8. */
const manyAddresses = (turn: number): readonly string[] => {
  if (process.platform !== 'linux') throw new Error('this figure needs the many loopback addresses that Linux has')
  return Array.from({ length: 1000 }, (_, number) => `127.${2 + turn}.${number >> 7}.${1 + (number & 127)}`)
}

interface Round {
  readonly hashes_per_s: number
  readonly logins: LoadResult
  readonly others: LoadResult
  readonly foreign_cpu: number
}

const lineOf = (runs: readonly Runs<Round>[], seconds: number, reads: string, judged: boolean): Line => {
  const { hashes_per_s, logins, others, foreign_cpu } = median(
    runs.map(({ chosen }) => chosen),
    (one) => one.logins.requests_per_s,
  )
  const complaints = runs.flatMap(({ all }) => all.flatMap((one) => [...complaintsOf(one.logins), ...complaintsOf(one.others)]))
  const enough = logins.requests_per_s >= target.logins_per_s && others.p99_ms <= target.other_requests_p99_ms
  return {
    figure: 'login',
    conditions: { login_clients, read_clients, reads, seconds, rounds: runs.length },
    measured: {
      logins_per_s: logins.requests_per_s,
      login_p50_ms: round(logins.p50_ms),
      login_p99_ms: round(logins.p99_ms),
      others: {
        requests_per_s: others.requests_per_s,
        p50_ms: round(others.p50_ms),
        p99_ms: round(others.p99_ms),
        max_ms: round(others.max_ms),
      },
      foreign_cpu,
    },
    ceiling: { hashes_per_s: round(hashes_per_s, 1) },
    ratio: round(logins.requests_per_s / hashes_per_s),
    target: judged ? target : null,
    met: judged ? enough && complaints.length === 0 : null,
    complaints,
  }
}

export const login: Bench = {
  name: 'login',
  summary: 'POST /api/v1/auth/login (argon2id, 19 MiB, 2 passes), and what others notice of it meanwhile',
  run: ({ seconds, rounds, profile_dir }, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir })
      try {
        // Readers of their own: a user's oldest sessions end when there are too many.
        const accounts = await Promise.all(Array.from({ length: users * 2 }, (_, number) => signUp(server.port, number)))
        const logins = accounts.slice(users).map(loginOf)
        const profiles = await profilesOf(accounts.slice(0, users))
        const common = { ...asFastAsRepliesCome, port: server.port, warm_up_s, measured_s: seconds }
        const workers = { pid: server.pid, database_below: server.pid }
        let turn = 0
        const measure = async (pace_per_s: number | null): Promise<Round> => {
          const hashes_per_s = await bareHashes(3)
          const from_addresses = manyAddresses(turn++)
          const { result, foreign_cpu } = await spending(workers, async () => {
            const [signed_in, others] = await Promise.all([
              runLoad({ ...common, clients: login_clients, requests: logins, from_addresses, requests_per_connection: 20 }),
              runLoad({ ...common, clients: read_clients, requests: profiles, pace_per_s }),
            ])
            return { logins: signed_in, others, elsewhere_s: signed_in.elsewhere_s + others.elsewhere_s }
          })
          return { hashes_per_s, logins: result.logins, others: result.others, foreign_cpu }
        }
        for (const pace_per_s of [reads_per_s, null]) {
          const runs: Runs<Round>[] = []
          for (let round_number = 0; round_number < rounds; round_number++) runs.push(await undisturbed(() => measure(pace_per_s)))
          const reads = pace_per_s === null ? 'as fast as replies come' : `${pace_per_s}/s by the clock`
          report(lineOf(runs, seconds, reads, pace_per_s !== null))
        }
      } finally {
        await server.stop()
      }
    }),
}
