import { randomInt } from 'node:crypto'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Bench, type Facts, type Line, median, round } from '../bench.ts'
import { withDirectory } from '../place.ts'
import { mannWhitney } from '../rank-test.ts'
import { startServer } from '../server.ts'

/** Of each kind, in each round. */
const samples = 100
/** Each is sent five links an hour at most, and takes a hundred wrong passwords an hour. */
const accounts = 64
const inactive = 16
/** Two kinds are told apart when samples of one distribution would differ as much in one of a thousand runs. */
const told_apart_p = 0.001
/**
 * What the run must have been able to see, or it says nothing. A missing hash is a difference of 20 to 50 ms at a sign-in; a look-up or a write of
 * an account more or less is one of about a millisecond in the answer to a request for a link. What comes after that answer is a
 * millisecond or two of work in the background, and an account causes it five times an hour at most.
 */
const seen_ms = { sign_in: 10, request: 2, after: 15 }
/** One after the other, for about a tenth of a second: in that time the mail is put into the post, or is not. */
const after_requests = 120

const admin = { email: 'admin@example.org', password: 'salt spray on mill wheel' }

interface Reply {
  readonly status: number
  readonly body: string
  readonly ms: number
}

/** From an address that nobody came from before: limits are no subject here. Linux answers on all of 127.0.0.0/8. */
const addresses = function* (): Generator<string, never> {
  for (let number = 0; ; number += 1) yield `127.${10 + (number >> 14)}.${(number >> 7) & 127}.${1 + (number & 127)}`
}

const sender = (port: number) => {
  const from = addresses()
  return (method: string, path: string, body: unknown, token?: string): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const payload = body === null ? '' : JSON.stringify(body)
      const begin = performance.now()
      const sent = request(
        {
          ...{ host: '127.0.0.1', port, localAddress: from.next().value, method, path: `/api/v1${path}`, agent: false },
          headers: {
            ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
        },
        (response) => {
          text(response).then((reply) => resolve({ status: response.statusCode ?? 0, body: reply, ms: performance.now() - begin }), reject)
        },
      )
      sent.on('error', reject)
      sent.end(payload)
    })
}

type Send = ReturnType<typeof sender>

const emailOf = (kind: 'known' | 'ghost', number: number): string => `${kind}-${String(number).padStart(4, '0')}@example.org`
const passwordOf = (number: number): string => `salt spray on mill wheel ${String(number).padStart(4, '0')}`

const must = async (
  reply: Promise<Reply>,
  status: number,
): Promise<{ readonly access_token: string; readonly user: { readonly id: string } }> => {
  const { status: found, body } = await reply
  if (found !== status) throw new Error(`${found} ${body}`)
  return JSON.parse(body) as never
}

/** Accounts 0 to 63; the last sixteen are switched off. */
const prepare = async (send: Send): Promise<void> => {
  const { access_token } = await must(send('POST', '/auth/login', admin), 200)
  for (let number = 0; number < accounts; number += 1) {
    const { user } = await must(send('POST', '/auth/register', { email: emailOf('known', number), password: passwordOf(number) }), 201)
    if (number < accounts - inactive) continue
    await must(send('PUT', `/users/admin/users/${user.id}/status`, { is_active: false }, access_token), 200)
  }
}

interface Kind {
  readonly name: string
  readonly status: number
  /** Sends number `turn` of its kind. */
  readonly ask: (send: Send, turn: number) => Promise<Reply>
  /** What comes next is measured as well. */
  readonly and_after?: true
}

const wrong = 'salt spray on mill wheel 9999'
const active = accounts - inactive
const logIn = (email: string, password: string) => (send: Send) => send('POST', '/auth/login', { email, password })

const kinds: readonly Kind[] = [
  { name: 'unknown', status: 401, ask: (send, turn) => logIn(emailOf('ghost', turn), wrong)(send) },
  { name: 'wrong', status: 401, ask: (send, turn) => logIn(emailOf('known', turn % active), wrong)(send) },
  {
    name: 'inactive',
    status: 401,
    // The right password, which is the hardest case.
    ask: (send, turn) => logIn(emailOf('known', active + (turn % inactive)), passwordOf(active + (turn % inactive)))(send),
  },
  ...(['password/forgot', 'magic-link'] as const).flatMap((path) =>
    (['known', 'ghost'] as const).map((of): Kind => ({
      name: `${path} ${of === 'known' ? 'known' : 'unknown'}`,
      status: 202,
      ask: (send, turn) => send('POST', `/auth/${path}`, { email: emailOf(of, turn % active) }),
      and_after: true,
    })),
  ),
]

const pairs: readonly (readonly [string, string])[] = [
  ['unknown', 'wrong'],
  ['unknown', 'inactive'],
  ['wrong', 'inactive'],
  ['password/forgot known', 'password/forgot unknown'],
  ['magic-link known', 'magic-link unknown'],
  ['after password/forgot known', 'after password/forgot unknown'],
  ['after magic-link known', 'after magic-link unknown'],
]

/** The least that one of the two kinds would have to be slower by, in milliseconds, to be told apart from the other in this very run. */
const visibleFrom = (first: readonly number[], second: readonly number[]): number => {
  const isSeen = (ms: number): boolean => {
    const slower = (times: readonly number[]): readonly number[] => times.map((time) => time + ms)
    return mannWhitney(slower(first), second).p < told_apart_p && mannWhitney(first, slower(second)).p < told_apart_p
  }
  let [low, high] = [0, 1]
  while (!isSeen(high)) high *= 2
  for (let step = 0; step < 8; step += 1) {
    const middle = (low + high) / 2
    if (isSeen(middle)) high = middle
    else low = middle
  }
  return high
}

interface Taken {
  readonly times: ReadonlyMap<string, readonly number[]>
  readonly complaints: readonly string[]
}

/** By turns, one request under way at a time, the order of the kinds drawn anew each time, so that no drift of the machine favours one. */
const measure = async (send: Send, count: number): Promise<Taken> => {
  const times = new Map<string, number[]>()
  const complaints = new Set<string>()
  const note = (name: string, ms: number): void => void times.set(name, [...(times.get(name) ?? []), ms])
  const warm_up = 10
  for (let turn = 0; turn < count + warm_up; turn += 1) {
    for (const kind of shuffled(kinds)) {
      const { status, body, ms } = await kind.ask(send, turn)
      if (status !== kind.status) complaints.add(`${kind.name} was answered ${status}: ${body.slice(0, 200)}`)
      if (turn >= warm_up) note(kind.name, ms)
      if (kind.and_after !== true) continue
      const begin = performance.now()
      for (let next = 0; next < after_requests; next += 1) await send('GET', '/auth/verify', null, 'none')
      if (turn >= warm_up) note(`after ${kind.name}`, performance.now() - begin)
    }
  }
  return { times, complaints: [...complaints] }
}

const shuffled = <T>(list: readonly T[]): readonly T[] =>
  list
    .map((item) => ({ item, at: randomInt(2 ** 40) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item)

const mustSee = (kind: string): number => {
  if (kind.startsWith('after ')) return seen_ms.after
  return kind.includes(' ') ? seen_ms.request : seen_ms.sign_in
}

const lineOf = ({ times, complaints }: Taken): Line => {
  const of = (name: string): readonly number[] => times.get(name) ?? []
  const compared = pairs.map(([first, second]) => ({
    name: `${first} / ${second}`,
    ...mannWhitney(of(first), of(second)),
    visible_from_ms: visibleFrom(of(first), of(second)),
    must_see_ms: mustSee(first),
  }))
  const apart = compared.filter(({ p }) => p < told_apart_p)
  const blind = compared.filter(({ visible_from_ms, must_see_ms }) => visible_from_ms > must_see_ms)
  return {
    figure: 'login-timing',
    conditions: { samples: of('wrong').length, accounts, requests_under_way: 1, after_requests },
    measured: {
      median_ms: Object.fromEntries([...times].map(([name, values]) => [name, round(median(values, (ms) => ms))])),
      ...Object.fromEntries(
        compared.map(({ name, p, above, visible_from_ms }): [string, Facts] => [
          name,
          { p: Number(p.toPrecision(2)), above: round(above, 3), visible_from_ms: round(visible_from_ms) },
        ]),
      ),
    },
    ceiling: null,
    ratio: null,
    target: { least_p: told_apart_p, visible_from_ms: seen_ms },
    met: apart.length === 0 && blind.length === 0 && complaints.length === 0,
    complaints: [
      ...complaints,
      ...blind.map(
        ({ name, visible_from_ms }) =>
          `too much noise: of ${name}, a difference of ${round(visible_from_ms)} ms would have been the first to be seen`,
      ),
    ],
  }
}

export const loginTiming: Bench = {
  name: 'login-timing',
  summary: 'whether the time of an answer tells which addresses have an account: sign-in, forgotten password, link to sign in',
  run: ({ rounds, profile_dir }, report) =>
    withDirectory(async (directory) => {
      if (process.platform !== 'linux') throw new Error('this figure needs the many loopback addresses that Linux has')
      const env = { MILLRACE_ADMIN_EMAIL: admin.email, MILLRACE_ADMIN_PASSWORD: admin.password }
      const server = await startServer({ directory: join(directory, 'server'), profile_dir, env })
      try {
        const send = sender(server.port)
        await prepare(send)
        report(lineOf(await measure(send, samples * rounds)))
      } finally {
        await server.stop()
      }
    }),
}
