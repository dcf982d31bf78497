import { connect } from 'node:net'
import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../testing/test-database.ts'
import { type TestServer, testServer } from '../testing/test-server.ts'
import { measureLoad } from './load.ts'
import type { Quotas } from './quota.ts'
import { rawRoute, route } from './route.ts'

/** What stands at the gate until it is opened, and whom it saw leave. */
const createGate = () => {
  const waiting: (() => void)[] = []
  const gone: string[] = []
  return {
    waiting,
    gone,
    wait: () => new Promise<void>((resolve) => waiting.push(resolve)),
    open: () => waiting.splice(0).forEach((go) => go()),
  }
}
const gate = createGate()

const routes = [
  route({ method: 'GET', path: '/plain', summary: '', allow: 'signed:in', replies: { 200: Type.Object({}) }, handler: () => ({}) }),
  route({
    ...{ method: 'POST', path: '/sign-in', summary: '', allow: 'public' },
    limits: [
      { name: 'burst', quota: 2, window_s: 60, per: 'address' },
      { name: 'hourly', quota: 5, window_s: 3_600, per: 'address' },
    ],
    replies: { 200: Type.Object({}) },
    handler: () => ({}),
  }),
  route({
    method: 'GET',
    path: '/slow',
    summary: '',
    allow: 'public',
    replies: { 200: Type.Object({ slow: Type.Boolean() }) },
    handler: async () => gate.wait().then(() => ({ slow: true })),
  }),
  route({
    ...{ method: 'GET', path: '/watched', summary: '', allow: 'public', replies: { 200: Type.Object({}) } },
    handler: (ctx) =>
      new Promise((resolve) => {
        ctx.signal.addEventListener('abort', () => {
          gate.gone.push(ctx.request_id)
          resolve({})
        })
        gate.waiting.push(() => undefined)
      }),
  }),
  rawRoute({
    methods: ['GET'],
    path: '/alive',
    summary: '',
    never_shed: true,
    replies: {},
    handle: (_app, _request, out) => out.send(200, {}, 'yes'),
  }),
]

/** As many as a plan may give, for users who have one. */
const by_plan: { readonly [plan: string]: number } = { free: 100, premium: 2_000 }
const quotas: Quotas = {
  of: (_app, actor) => {
    const quota = actor.type === 'user' ? by_plan[actor.plan] : undefined
    return actor.type !== 'user' || quota === undefined ? null : [{ name: 'hour', quota, window_s: 3_600, key: actor.user_id }]
  },
  described: by_plan,
}

let database: TestDatabase
let mill: TestServer

beforeAll(async () => {
  database = await testDatabase()
  mill = await testServer({ database, routes, quotas, env: { TRUST_PROXY: '1' } })
})

afterAll(async () => {
  await mill.close()
  await database.close()
})

const get = (path: string, headers: { [name: string]: string } = {}, method = 'GET') => fetch(mill.url + path, { method, headers })

test('a plan has so many requests an hour, and says with each how many are left', async () => {
  const free = { authorization: 'Bearer ann/member/free' }
  const first = await get('/api/v1/plain', free)
  expect([first.headers.get('ratelimit-policy'), first.headers.get('ratelimit')]).toEqual(['"hour";q=100;w=3600', '"hour";r=99;t=3600'])
  for (let number = 2; number <= 100; number += 1) expect((await get('/api/v1/plain', free)).status).toBe(200)
  const over = await get('/api/v1/plain', free)
  expect(over.headers.get('ratelimit')).toMatch(/^"hour";r=0;t=\d+$/)
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(3_500)
  expect([over.status, await over.json()]).toMatchObject([
    429,
    {
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      code: 'http.rate_limited',
      'violated-policies': ['hour'],
      status_code: 429,
    },
  ])
  expect((await get('/api/v1/plain', { authorization: 'Bearer ben/member/free' })).status).toBe(200)
  expect((await get('/api/v1/plain', { authorization: 'Bearer ann/member/premium' })).headers.get('ratelimit-policy')).toBe(
    '"hour";q=2000;w=3600',
  )
})

test('a plan without a quota is not counted', async () => {
  const { headers } = await get('/api/v1/plain', { authorization: 'Bearer ann/member/enterprise' })
  expect([headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([null, null])
})

test('a route has its own policies, by the address of the caller', async () => {
  const from = (address: string) => get('/api/v1/sign-in', { 'x-forwarded-for': address }, 'POST')
  expect((await from('198.18.0.1')).headers.get('ratelimit-policy')).toBe('"burst";q=2;w=60, "hourly";q=5;w=3600')
  expect((await from('198.18.0.1')).headers.get('ratelimit')).toBe('"burst";r=0;t=60, "hourly";r=3;t=3600')
  const over = await from('198.18.0.1')
  expect([over.status, over.headers.get('retry-after'), await over.json()]).toMatchObject([429, '60', { 'violated-policies': ['burst'] }])
  expect((await from('198.18.0.2')).status).toBe(200)
  // One proxy is trusted: what the client itself wrote in front of it counts for nothing.
  expect((await from('1.2.3.4, 198.18.0.1')).status).toBe(429)
})

test('whoever has a network of IPv6 addresses is one caller', async () => {
  const from = async (address: string) => (await get('/api/v1/sign-in', { 'x-forwarded-for': address }, 'POST')).status
  expect([await from('2001:db8:7:1::1'), await from('2001:db8:7:1:ffff::2'), await from('2001:db8:7:1::3')]).toEqual([200, 200, 429])
  expect(await from('2001:db8:7:2::1')).toBe(200)
})

test('without a trusted proxy nobody chooses an address', async () => {
  const direct = await testServer({ database, routes })
  const statuses: number[] = []
  for (const address of ['198.18.1.1', '198.18.1.2', '198.18.1.3']) {
    statuses.push((await fetch(`${direct.url}/api/v1/sign-in`, { method: 'POST', headers: { 'x-forwarded-for': address } })).status)
  }
  await direct.close()
  expect(statuses).toEqual([200, 200, 429])
})

test('beyond its capacity the server sheds what is new, but still says that it is alive', async () => {
  const small = await testServer({ database, routes, env: { MILLRACE_MAX_IN_FLIGHT: '1' } })
  const slow = fetch(`${small.url}/api/v1/slow`)
  await expect.poll(() => gate.waiting.length).toBe(1)
  const shed = await fetch(`${small.url}/api/v1/slow`)
  expect([shed.status, shed.headers.get('retry-after'), await shed.json()]).toMatchObject([503, '1', { code: 'http.overloaded' }])
  expect((await fetch(`${small.url}/alive`)).status).toBe(200)
  gate.open()
  expect((await slow).status).toBe(200)
  const next = fetch(`${small.url}/api/v1/slow`)
  await expect.poll(() => gate.waiting.length).toBe(1)
  gate.open()
  expect((await next).status).toBe(200)
  await small.close()
})

test('an event loop that stays late counts as overload, one that stalls once does not', async () => {
  const load = measureLoad(1_000, 40)
  const block = (ms: number): void => {
    const until = performance.now() + ms
    while (performance.now() < until);
  }
  try {
    const until = performance.now() + 2_500
    let overloaded = false
    while (performance.now() < until && !overloaded) {
      block(120)
      await new Promise(setImmediate)
      overloaded = load.overloaded()
    }
    expect(overloaded).toBe(true)
    await expect.poll(() => load.overloaded(), { timeout: 5_000 }).toBe(false)
    block(700)
    await new Promise(setImmediate)
    expect(load.overloaded()).toBe(false)
  } finally {
    load.stop()
  }
})

test('work is called off when its client goes away', async () => {
  const socket = connect(mill.port, '127.0.0.1', () =>
    socket.write('GET /api/v1/watched HTTP/1.1\r\nhost: a\r\nx-request-id: leaver\r\n\r\n'),
  )
  await expect.poll(() => gate.waiting.length).toBe(1)
  gate.waiting.length = 0
  socket.destroy()
  await expect.poll(() => gate.gone).toEqual(['leaver'])
})

test('a server that drains finishes what it has and closes its connections', async () => {
  const going = await testServer({ database, routes })
  const idle = connect(going.port, '127.0.0.1')
  const idle_closed = new Promise((resolve) => idle.on('close', resolve))
  const once = new Promise((resolve) => idle.once('data', resolve))
  idle.write('GET /alive HTTP/1.1\r\nhost: a\r\n\r\n')
  await once
  const slow = fetch(`${going.url}/api/v1/slow`)
  await expect.poll(() => gate.waiting.length).toBe(1)
  expect(going.server.draining()).toBe(false)
  const drained = going.server.drain(20_000)
  await idle_closed
  const late = await fetch(`${going.url}/alive`)
  expect([going.server.draining(), late.status, late.headers.get('connection')]).toEqual([true, 200, 'close'])
  gate.open()
  expect(await (await slow).json()).toEqual({ slow: true })
  await drained
  await going.close()
  await expect(fetch(`${going.url}/alive`)).rejects.toThrow('fetch failed')
})

test('a server that drains waits for no request longer than it is told', async () => {
  const going = await testServer({ database, routes })
  const slow = fetch(`${going.url}/api/v1/slow`)
  await expect.poll(() => gate.waiting.length).toBe(1)
  await going.server.drain(20)
  const closed = going.close()
  await expect(fetch(`${going.url}/alive`)).rejects.toThrow('fetch failed')
  gate.open()
  expect((await slow).status).toBe(200)
  await closed
})

test('what does not finish in time is cut off', async () => {
  const going = await testServer({ database, routes })
  const slow = fetch(`${going.url}/api/v1/slow`).then(
    () => 'answered',
    () => 'cut off',
  )
  await expect.poll(() => gate.waiting.length).toBe(1)
  await going.server.close(50)
  expect(await slow).toBe('cut off')
  gate.open()
})
