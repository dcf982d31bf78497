import { sql } from 'kysely'
import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Ctx } from '../context.ts'
import { defineErrors } from '../errors.ts'
import { defineEvent } from '../events/event.ts'
import { type TestDatabase, testDatabase } from '../testing/test-database.ts'
import { type TestServer, testServer } from '../testing/test-server.ts'
import { readIdempotencyKey } from './idempotency-key.ts'
import { reply, route } from './route.ts'

const errors = defineErrors('orders', { sold_out: { status: 409, title: 'Sold out' } })
const placed = defineEvent({ name: 'orders.placed', doc: 'An order was placed', data: Type.Object({ item: Type.String() }) })

const Order = Type.Object({ item: Type.String(), then: Type.Optional(Type.String()) })
const Placed = Type.Object({ number: Type.Integer(), secret: Type.String() })

/** Requests that said `wait` stand here until they are let go. */
const gate = { waiting: 0, open: () => undefined as void, closed: Promise.resolve() }
const closeGate = (): void => {
  gate.waiting = 0
  gate.closed = new Promise((resolve) => (gate.open = resolve))
}

const place = (ctx: Ctx, { item }: { item: string }) =>
  ctx.tx(async (tx) => {
    const { rows } = await sql<{ number: number }>`insert into orders (item) values (${item}) returning number`.execute(tx.db)
    tx.emit(placed, { item })
    return { number: rows[0]?.number as number, secret: 'shown-once' }
  })

const handler = async (ctx: Ctx, { body }: { body: { item: string; then?: string } }) => {
  const order = await place(ctx, body)
  if (body.then === 'wait') {
    gate.waiting += 1
    await gate.closed
  }
  if (body.then === 'fail') throw new Error('the mill burnt down')
  if (body.then === 'refuse') throw errors.sold_out()
  return reply({ status: 201, body: order, headers: { location: `/orders/${order.number}` } })
}

const routes = [
  route({
    method: 'POST',
    path: '/orders',
    summary: 'Place',
    allow: 'public',
    body: Order,
    replies: { 201: Placed },
    idempotent: true,
    handler,
  }),
  route({
    method: 'POST',
    path: '/orders/slow',
    summary: 'Place and wait',
    allow: 'public',
    body: Order,
    replies: { 201: Placed },
    idempotent: 'claimed',
    handler,
  }),
]

let database: TestDatabase
let mill: TestServer

beforeAll(async () => {
  database = await testDatabase()
  await database.owner.unsafe(`
    create table orders (number integer generated always as identity, item text not null);
    grant usage on all sequences in schema public to millrace_app;
    call millrace.protect('orders', 'true');
  `)
  mill = await testServer({ database, routes })
})

beforeEach(async () => {
  closeGate()
  await database.owner`delete from orders`
})

afterAll(async () => {
  await mill.close()
  await database.close()
})

const ann = '0199a000-0000-7000-8000-00000000000a'
const ben = '0199a000-0000-7000-8000-00000000000b'

const order = async (
  key: string | null,
  body: object,
  { path = '/api/v1/orders', user = ann }: { path?: string; user?: string | null } = {},
) => {
  const headers: { [name: string]: string } = { 'content-type': 'application/json' }
  if (key !== null) headers['idempotency-key'] = key
  if (user !== null) headers['authorization'] = `Bearer ${user}`
  const response = await fetch(mill.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  const answer = (await response.json()) as { readonly number?: number; readonly code?: string }
  return {
    status: response.status,
    body: answer,
    replayed: response.headers.get('idempotency-replayed') === 'true',
    location: response.headers.get('location'),
  }
}

const orders = async (): Promise<number> =>
  ((await database.owner`select count(*)::int as count from orders`)[0] as { count: number }).count
const events = async (): Promise<number> =>
  ((await database.owner`select count(*)::int as count from events`)[0] as { count: number }).count

for (const path of ['/api/v1/orders', '/api/v1/orders/slow']) {
  const at = { path }
  const key = (name: string): string => `"${name} ${path}"`

  test(`a repetition gets the stored reply and does nothing again (${path})`, async () => {
    const before = await events()
    const first = await order(key('again'), { item: 'flour' }, at)
    const second = await order(key('again'), { item: 'flour' }, at)
    expect([first.status, first.replayed, second.replayed]).toEqual([201, false, true])
    expect({ ...second, replayed: false }).toEqual(first)
    expect(second.location).toBe(`/orders/${first.body.number}`)
    expect([await orders(), (await events()) - before]).toEqual([1, 1])
  })

  test(`the same key with another body is refused (${path})`, async () => {
    await order(key('other body'), { item: 'flour' }, at)
    expect(await order(key('other body'), { item: 'bran' }, at)).toMatchObject({ status: 422, body: { code: 'http.idempotency_mismatch' } })
    expect(await orders()).toBe(1)
  })

  test(`while the first request runs the second is told to wait (${path})`, async () => {
    const first = order(key('running'), { item: 'flour', then: 'wait' }, at)
    await expect.poll(() => gate.waiting).toBe(1)
    expect(await order(key('running'), { item: 'flour', then: 'wait' }, at)).toMatchObject({
      status: 409,
      body: { code: 'http.idempotency_running' },
    })
    gate.open()
    const { status, body } = await first
    expect(status).toBe(201)
    expect(await order(key('running'), { item: 'flour', then: 'wait' }, at)).toMatchObject({ status: 201, body, replayed: true })
    expect(await orders()).toBe(1)
  })

  test(`fifty at once place one order (${path})`, async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => order(key('fifty'), { item: 'flour' }, at)))
    expect(answers.filter(({ status, replayed }) => status === 201 && !replayed)).toHaveLength(1)
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
    expect(await orders()).toBe(1)
  })

  test(`a refusal is replayed as well, a failure of ours is not (${path})`, async () => {
    const refused = await order(key('refused'), { item: 'flour', then: 'refuse' }, at)
    expect([refused.status, refused.replayed]).toEqual([409, false])
    expect(await order(key('refused'), { item: 'flour', then: 'refuse' }, at)).toMatchObject({
      status: 409,
      body: refused.body,
      replayed: true,
    })
    for (const _ of [1, 2])
      expect(await order(key('failed'), { item: 'flour', then: 'fail' }, at)).toMatchObject({ status: 500, replayed: false })
  })

  test(`a key belongs to its owner and its route (${path})`, async () => {
    const mine = await order(key('shared'), { item: 'flour' }, at)
    const foreign = await order(key('shared'), { item: 'flour' }, { ...at, user: ben })
    const nobody = await order(key('shared'), { item: 'flour' }, { ...at, user: null })
    expect([foreign.replayed, nobody.replayed]).toEqual([false, false])
    expect(new Set([mine, foreign, nobody].map(({ body }) => body.number)).size).toBe(3)
  })

  test(`a reply is kept for a day (${path})`, async () => {
    const { body } = await order(key('kept'), { item: 'flour' }, at)
    mill.clock.advance(24 * 3_600_000 - 1)
    expect(await order(key('kept'), { item: 'flour' }, at)).toMatchObject({ body, replayed: true })
    mill.clock.advance(2)
    expect(await order(key('kept'), { item: 'bran' }, at)).toMatchObject({ status: 201, replayed: false })
  })
}

test('effects and stored reply are there together or not at all', async () => {
  expect((await order('"half"', { item: 'flour', then: 'fail' })).status).toBe(500)
  expect(await orders()).toBe(0)
  expect(await order('"half"', { item: 'flour' })).toMatchObject({ status: 201, replayed: false })
  expect(await orders()).toBe(1)
})

test('a first request whose connection dies leaves nothing behind, and the key is free at once', async () => {
  const dying = order('"dies"', { item: 'flour', then: 'wait' })
  await expect.poll(() => gate.waiting).toBe(1)
  await database.owner`
    select pg_terminate_backend(pid)
    from pg_locks
    where locktype = 'advisory'
      and pid <> pg_backend_pid()
      and database = (select oid from pg_database where datname = current_database())`
  gate.open()
  expect((await dying).status).toBeGreaterThanOrEqual(500)
  expect(await orders()).toBe(0)
  expect(await order('"dies"', { item: 'flour' })).toMatchObject({ status: 201, replayed: false })
})

test('a claim whose process died is free again after two minutes', async () => {
  const path = '/api/v1/orders/slow'
  void order('"claimed"', { item: 'flour', then: 'wait' }, { path })
  await expect.poll(() => gate.waiting).toBe(1)
  expect((await order('"claimed"', { item: 'flour' }, { path })).status).toBe(422)
  expect((await order('"claimed"', { item: 'flour', then: 'wait' }, { path })).status).toBe(409)
  mill.clock.advance(120_001)
  expect(await order('"claimed"', { item: 'flour' }, { path })).toMatchObject({ status: 201, replayed: false })
  gate.open()
})

test('without a key nothing is stored', async () => {
  const count = async () => (await database.owner`select from idempotent_replies`).length
  const before = await count()
  await order(null, { item: 'flour' })
  await order(null, { item: 'flour' })
  expect([await orders(), (await count()) - before]).toEqual([2, 0])
})

test('a stored reply is not readable in the database, by its owner either', async () => {
  await order('"sealed"', { item: 'flour' })
  const rows = await database.owner<{ reply: string }[]>`select reply from idempotent_replies where reply is not null`
  expect(rows.length).toBeGreaterThan(0)
  expect(JSON.stringify(rows)).not.toContain('shown-once')
})

test('expired replies are removed in the course of time', async () => {
  await order('"old"', { item: 'flour' })
  mill.clock.advance(25 * 3_600_000)
  for (let number = 0; number < 100; number += 1) await order(`"sweep ${number}"`, { item: 'flour' })
  const cutoff = new Date(mill.clock.now() - 24 * 3_600_000).toISOString()
  await expect.poll(async () => (await database.owner`select from idempotent_replies where created_at <= ${cutoff}`).length).toBe(0)
})

test('a key is a string of visible characters, quoted or bare', () => {
  expect(['"8e03978e-40d5"', '8e03978e-40d5', '"a \\"b\\" c"'].map(readIdempotencyKey)).toEqual([
    '8e03978e-40d5',
    '8e03978e-40d5',
    'a "b" c',
  ])
  for (const bad of ['', '""', '"open', 'a b', '"é"', 'x'.repeat(256)]) expect(() => readIdempotencyKey(bad)).toThrow('not usable')
})

test('a key that cannot be used is refused and nothing is done', async () => {
  expect(await order('a b', { item: 'flour' })).toMatchObject({ status: 400, body: { code: 'http.idempotency_key_invalid' } })
  expect(await orders()).toBe(0)
})
