import { argon2, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Account, signUp } from '../account.ts'
import { type Bench, median, round } from '../bench.ts'
import type { LoadRequest, LoadResult } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf, runLoad } from '../load/load.ts'
import { untilQuiet } from '../machine.ts'
import { withDirectory } from '../place.ts'
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
      await hash('argon2id', { message: 'salt spray on mill wheel', nonce: randomBytes(16), parallelism: 1, tagLength: 32, memory: 19_456, passes: 2 })
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
  return Array.from({ length: 1000 }, (_, number) => `127.${2 + turn}.${number >> 8}.${1 + (number & 127)}`)
}

interface Round {
  readonly hashes: number
  readonly logins: LoadResult
  readonly others: LoadResult
}

export const login: Bench = {
  name: 'login',
  summary: 'POST /api/v1/auth/login (argon2id, 19 MiB, 2 passes), and what others notice of it meanwhile',
  run: (options, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir: options.profile_dir })
      try {
        // Readers of their own: a user's oldest sessions end when there are too many.
        const accounts = await Promise.all(Array.from({ length: users * 2 }, (_, number) => signUp(server.port, number)))
        const logins = accounts.slice(users).map(loginOf)
        const profiles = await profilesOf(accounts.slice(0, users))
        const common = { ...asFastAsRepliesCome, port: server.port, warm_up_s, measured_s: options.seconds }
        for (const pace_per_s of [reads_per_s, null]) {
          const foreign_cpu = await untilQuiet()
          const rounds: Round[] = []
          for (let turn = 0; turn < options.rounds; turn++) {
            const hashes = await bareHashes(3)
            const from_addresses = manyAddresses(turn + (pace_per_s === null ? options.rounds : 0))
            const [signed_in, others] = await Promise.all([
              runLoad({ ...common, clients: login_clients, requests: logins, from_addresses, requests_per_connection: 20 }),
              runLoad({ ...common, clients: read_clients, requests: profiles, pace_per_s }),
            ])
            rounds.push({ hashes, logins: signed_in, others })
          }
          const one = median(rounds, ({ logins: run }) => run.requests_per_s)
          const complaints = rounds.flatMap(({ logins: run, others }) => [...complaintsOf(run), ...complaintsOf(others)])
          const judged = pace_per_s !== null
          const enough = one.logins.requests_per_s >= target.logins_per_s && one.others.p99_ms <= target.other_requests_p99_ms
          report({
            figure: 'login',
            conditions: {
              login_clients,
              read_clients,
              reads: judged ? `${reads_per_s}/s by the clock` : 'as fast as replies come',
              seconds: options.seconds,
              rounds: options.rounds,
              foreign_cpu,
            },
            measured: { logins_per_s: one.logins.requests_per_s, login_p50_ms: one.logins.p50_ms, login_p99_ms: one.logins.p99_ms, others: { requests_per_s: one.others.requests_per_s, p50_ms: one.others.p50_ms, p99_ms: one.others.p99_ms, max_ms: one.others.max_ms } },
            ceiling: { hashes_per_s: round(one.hashes, 1) },
            ratio: round(one.logins.requests_per_s / one.hashes),
            target: judged ? target : null,
            met: judged ? enough && complaints.length === 0 : null,
            complaints,
          })
        }
      } finally {
        await server.stop()
      }
    }),
}
