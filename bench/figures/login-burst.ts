import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Account, signUp } from '../account.ts'
import { type Bench, type Line, median, round } from '../bench.ts'
import type { LoadResult } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf, runLoad } from '../load/load.ts'
import { spending } from '../machine.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'
import { startServer } from '../server.ts'
import { profilesOf } from './read.ts'

const at_once = 250
const users = 25
const read_clients = 8
/** Others' requests, sent by the clock: people do not work faster because others sign in. */
const reads_per_s = 400
const between_bursts_ms = 1_000
const warm_up_s = 3
const target = { slowest_ms: 5_000, other_requests_p99_ms: 50 }

interface Answer {
  readonly status: number
  readonly retry_after: string | undefined
  readonly ms: number
}

interface Login {
  readonly port: number
  readonly from: string
  readonly account: Account
}

const login = ({ port, from, account: { email, password } }: Login): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const since = performance.now()
    const body = JSON.stringify({ email, password })
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const call = request(
      { host: '127.0.0.1', port, localAddress: from, method: 'POST', path: '/api/v1/auth/login', headers, agent: false },
      (response) => {
        response.resume()
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode as number,
            retry_after: response.headers['retry-after'],
            ms: performance.now() - since,
          }),
        )
      },
    )
    call.on('error', reject)
    call.end(body)
  })

/** Everybody from an address of their own, as in life. Linux answers on all of 127.0.0.0/8. */
const addressOf = (turn: number, number: number): string => {
  if (process.platform !== 'linux') throw new Error('this figure needs the many loopback addresses that Linux has')
  return `127.${2 + (turn % 200)}.${number >> 7}.${1 + (number & 127)}`
}

interface Round {
  readonly bursts: number
  readonly signed_in: number
  readonly shed: number
  readonly slowest_ms: number
  /** Neither signed in nor told when to try again, or not answered at all. */
  readonly complaints: readonly string[]
  readonly others: LoadResult
  readonly foreign_cpu: number
}

const isRight = ({ status, retry_after }: Answer): boolean => status === 200 || (status === 503 && Number(retry_after) >= 1)

const summaryOf = (answers: readonly PromiseSettledResult<Answer>[]): Pick<Round, 'signed_in' | 'shed' | 'slowest_ms' | 'complaints'> => {
  const answered = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const lost = answers.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))
  const wrong = answered.filter((answer) => !isRight(answer))
  return {
    signed_in: answered.filter(({ status }) => status === 200).length,
    shed: answered.filter(({ status }) => status === 503).length,
    slowest_ms: Math.max(0, ...answered.map(({ ms }) => ms)),
    complaints: [
      ...(lost.length > 0 ? [`${lost.length} sign-ins had no reply: ${lost[0]}`] : []),
      ...(wrong.length > 0 ? [`${wrong.length} sign-ins were answered ${wrong[0]?.status}, Retry-After ${wrong[0]?.retry_after}`] : []),
    ],
  }
}

const lineOf = (runs: readonly Runs<Round>[], seconds: number): Line => {
  const {
    others,
    complaints: _,
    slowest_ms,
    ...rest
  } = median(
    runs.map(({ chosen }) => chosen),
    (one) => one.slowest_ms,
  )
  const complaints = runs.flatMap(({ all }) => all.flatMap((one) => [...one.complaints, ...complaintsOf(one.others)]))
  const enough = slowest_ms <= target.slowest_ms && others.p99_ms <= target.other_requests_p99_ms
  return {
    figure: 'login-burst',
    conditions: { at_once, users, read_clients, reads: `${reads_per_s}/s by the clock`, seconds, rounds: runs.length },
    measured: {
      ...rest,
      slowest_ms: round(slowest_ms),
      others: {
        requests_per_s: others.requests_per_s,
        p50_ms: round(others.p50_ms),
        p99_ms: round(others.p99_ms),
        max_ms: round(others.max_ms),
      },
    },
    ceiling: null,
    ratio: null,
    target,
    met: enough && complaints.length === 0,
    complaints,
  }
}

export const loginBurst: Bench = {
  name: 'login-burst',
  summary: '250 sign-ins at the same moment: all are answered or told when to try again, and what others notice of it',
  run: ({ seconds, rounds, profile_dir }, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir })
      try {
        const accounts: Account[] = []
        // Readers of their own: a user's oldest sessions end when there are too many.
        for (let number = 0; number < users * 2; number++) accounts.push(await signUp(server.port, number))
        const profiles = await profilesOf(accounts.slice(users))
        let turn = 0
        const burst = (): Promise<readonly PromiseSettledResult<Answer>[]> => {
          turn += 1
          const sign_ins = Array.from({ length: at_once }, (_, number) =>
            login({ port: server.port, from: addressOf(turn, number), account: accounts[number % users] as Account }),
          )
          return Promise.allSettled(sign_ins)
        }
        const bursts = async (): Promise<{ readonly count: number; readonly answers: readonly PromiseSettledResult<Answer>[] }> => {
          await delay(warm_up_s * 1_000)
          const answers: PromiseSettledResult<Answer>[] = []
          let count = 0
          for (const end = performance.now() + seconds * 1_000; performance.now() < end; count++) {
            answers.push(...(await burst()))
            await delay(between_bursts_ms)
          }
          return { count, answers }
        }
        const load = { ...asFastAsRepliesCome, port: server.port, clients: read_clients, requests: profiles, pace_per_s: reads_per_s }
        const measure = async (): Promise<Round> => {
          const { result, foreign_cpu } = await spending({ pid: server.pid, database_below: server.pid }, async () => {
            const [others, { count, answers }] = await Promise.all([runLoad({ ...load, warm_up_s, measured_s: seconds }), bursts()])
            return { others, count, answers, elsewhere_s: others.elsewhere_s }
          })
          return { bursts: result.count, ...summaryOf(result.answers), others: result.others, foreign_cpu }
        }
        const runs: Runs<Round>[] = []
        for (let round_number = 0; round_number < rounds; round_number++) runs.push(await undisturbed(measure))
        report(lineOf(runs, seconds))
      } finally {
        await server.stop()
      }
    }),
}
