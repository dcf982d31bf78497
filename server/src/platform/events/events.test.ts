import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { App, Ctx } from '../context.ts'
import { type BareApp, bareApp } from '../testing/bare-app.ts'
import { testDatabase, type TestDatabase } from '../testing/test-database.ts'
import { type Consumer, defineConsumer } from './consumer.ts'
import { defineEvent, type RecordedEvent } from './event.ts'
import { eventRunner, eventStart } from './runner.ts'

const ground = defineEvent({ name: 'mill.flour.ground', doc: 'Flour was ground.', data: Type.Object({ sack: Type.Number() }) })
const spilled = defineEvent({ name: 'mill.flour.spilled', doc: 'Flour was spilled.', data: Type.Object({ sack: Type.Number() }) })

let database: TestDatabase
let running: BareApp[] = []

beforeAll(async () => {
  database = await testDatabase()
})
afterEach(async () => {
  await Promise.all(running.map(({ stop }) => stop()))
  running = []
})
afterAll(() => database.close())

/** A process of its own: its own connections, its own runner. */
const process = async (consumers: readonly Consumer[] = []): Promise<App> => {
  const bare = await bareApp({
    database: await database.open(),
    modules: [{ name: 'mill', consumers }],
    services: [eventStart, eventRunner],
  })
  running.push(bare)
  return bare.app
}

const asMiller = (app: App): Ctx =>
  app.context({
    actor: {
      type: 'user',
      user_id: randomUUID(),
      role: 'user',
      workspace_role: 'owner',
      plan: 'free',
      via: { type: 'session', session_id: randomUUID() },
      impersonator_id: null,
    },
    workspace_id: randomUUID(),
    request_id: 'test',
  })

const grind = (ctx: Ctx, ...sacks: number[]): Promise<void> =>
  ctx.tx(async (tx) => {
    for (const sack of sacks) tx.emit(ground, { sack })
  })

interface Heard {
  readonly sacks: () => number[]
  readonly events: RecordedEvent[]
  readonly consumer: Consumer
}

const sackOf = (event: RecordedEvent): number => (event.data as { sack: number }).sack

const hear = (delivery: Consumer['delivery'], more: Partial<Consumer> = {}): Heard => {
  const events: RecordedEvent[] = []
  const consumer = defineConsumer({
    name: `mill.${randomUUID()}`,
    delivery,
    events: ['mill.flour.ground'],
    handle: (_, batch) => void events.push(...batch),
    ...more,
  })
  return { events, consumer, sacks: () => events.map(sackOf) }
}

test('an event reaches durable consumers, and each process, as it was recorded', async () => {
  const durable = hear('durable')
  const everywhere = hear('every_process')
  const app = await process([durable.consumer, everywhere.consumer])
  const ctx = asMiller(app)
  await grind(ctx, 1, 2)
  await vi.waitFor(() => expect(durable.sacks()).toEqual([1, 2]))
  await vi.waitFor(() => expect(everywhere.sacks()).toEqual([1, 2]))
  expect(durable.events[0]).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{14}7/),
    seq: expect.any(Number),
    name: 'mill.flour.ground',
    workspace_id: ctx.workspace_id,
    actor: { type: 'user', id: ctx.actor.type === 'user' && ctx.actor.user_id },
    impersonator_id: null,
    origin: null,
    data: { sack: 1 },
    changes: null,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  })
})

test('consumers hear the events they ask for, by name or by the beginning of a name, and no others', async () => {
  const exact = hear('durable', { events: ['mill.flour.spilled'] })
  const prefix = hear('every_process', { events: ['mill.*'] })
  const other = hear('every_process', { events: ['mil.*', 'mill.flour'] })
  const app = await process([exact.consumer, prefix.consumer, other.consumer])
  await asMiller(app).tx(async (tx) => {
    tx.emit(ground, { sack: 1 })
    tx.emit(spilled, { sack: 2 })
  })
  await vi.waitFor(() => expect(prefix.sacks()).toEqual([1, 2]))
  await vi.waitFor(() => expect(exact.sacks()).toEqual([2]))
  expect(other.sacks()).toEqual([])
})

test('a transaction that commits late is not skipped, and holds up nobody meanwhile', async () => {
  const durable = hear('durable')
  const everywhere = hear('every_process')
  const app = await process([durable.consumer, everywhere.consumer])
  const ctx = asMiller(app)
  const written = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  // Its row is written, with a lower sequence and a lower transaction id than the next one's, and stays uncommitted.
  const late = database.owner.begin(async (sql) => {
    await sql`insert into events (name, actor_type, data, created_at) values (${ground.name}, 'system', '{"sack":1}', now())`
    written.resolve()
    await release.promise
  })
  await written.promise
  await grind(ctx, 2)
  await vi.waitFor(() => expect(durable.sacks()).toEqual([2]))
  await vi.waitFor(() => expect(everywhere.sacks()).toEqual([2]))
  release.resolve()
  await late
  await grind(ctx, 3)
  await vi.waitFor(() => expect(durable.sacks()).toEqual([2, 1, 3]))
  await vi.waitFor(() => expect(everywhere.sacks()).toEqual([2, 1, 3]))
  const seqs = durable.events.map((event) => event.seq)
  expect(seqs[1]).toBeLessThan(seqs[0] as number)
})

test('what is rolled back was never an event', async () => {
  const everywhere = hear('every_process')
  const durable = hear('durable')
  const app = await process([everywhere.consumer, durable.consumer])
  const ctx = asMiller(app)
  await expect(
    ctx.tx(async (tx) => {
      tx.emit(ground, { sack: 1 })
      throw new Error('the sack tore')
    }),
  ).rejects.toThrow('the sack tore')
  await grind(ctx, 2)
  await vi.waitFor(() => expect(everywhere.sacks()).toEqual([2]))
  await vi.waitFor(() => expect(durable.sacks()).toEqual([2]))
})

test('a new durable consumer begins with what happens from then on, or, where it asks for that, with the oldest event of the log', async () => {
  const first = await process()
  const ctx = asMiller(first)
  for (let sack = 1; sack <= 1_200; sack++) await grind(ctx, sack)
  const fromNow = hear('durable')
  const fromTheBeginning = hear('durable', { since: 'beginning' })
  await process([fromNow.consumer, fromTheBeginning.consumer])
  await grind(ctx, 1_201)
  await vi.waitFor(() => expect(fromNow.sacks()).toEqual([1_201]))
  const own = (): number[] => fromTheBeginning.events.filter(({ workspace_id }) => workspace_id === ctx.workspace_id).map(sackOf)
  await vi.waitFor(() => expect(own()).toEqual(Array.from({ length: 1_201 }, (_, index) => index + 1)))
})

test('a durable consumer goes on where it stopped, and misses nothing that happened in between', async () => {
  const before = hear('durable')
  const first = await process([before.consumer])
  await grind(asMiller(first), 1)
  await vi.waitFor(() => expect(before.sacks()).toEqual([1]))
  await running.pop()?.stop()
  const other = await process()
  await grind(asMiller(other), 2, 3)
  const after = hear('durable', { name: before.consumer.name })
  await process([after.consumer])
  await vi.waitFor(() => expect(after.sacks()).toEqual([2, 3]))
})

test('a handler that throws gets the same events again, in order, and then what followed', async () => {
  let failures = 0
  const handled: number[] = []
  const stubborn = hear('durable', {
    handle: (_, batch) => {
      for (const { data } of batch) {
        const { sack } = data as { sack: number }
        if (sack === 3 && failures++ < 2) throw new Error('the stone is blocked')
        handled.push(sack)
      }
    },
  })
  const app = await process([stubborn.consumer])
  await grind(asMiller(app), 1, 2, 3, 4)
  await vi.waitFor(() => expect(handled.slice(-2)).toEqual([3, 4]), { timeout: 5_000 })
  // 1 and 2 are repeated once, with the batch that failed; after that the events go one by one.
  expect(handled).toEqual([1, 2, 1, 2, 3, 4])
})

test('of two processes one handles, and the other takes over when it is gone', async () => {
  const one = hear('durable')
  const two = hear('durable', { name: one.consumer.name })
  const first = await process([one.consumer])
  const second = await process([two.consumer])
  const ctx = asMiller(second)
  for (let sack = 1; sack <= 20; sack++) await grind(ctx, sack)
  await vi.waitFor(() => expect(one.sacks()).toHaveLength(20))
  expect(two.sacks()).toEqual([])
  // As a crash would: its connections go, and with them the lock.
  await first.database.close()
  await grind(ctx, 21)
  await vi.waitFor(() => expect(two.sacks()).toEqual([21]), { timeout: 10_000 })
})

test('a process hears what another one has written', async () => {
  const here = hear('every_process')
  await process([here.consumer])
  const elsewhere = await process()
  await grind(asMiller(elsewhere), 7)
  await vi.waitFor(() => expect(here.sacks()).toEqual([7]), { timeout: 500 })
})

test('after a lost connection a process is told that it may have missed events, and hears the next', async () => {
  const lost = vi.fn<() => void>()
  const here = hear('every_process', { lost })
  await process([here.consumer])
  const elsewhere = await process()
  await database.owner`
    select pg_terminate_backend(pid)
    from pg_stat_activity
    where datname = current_database() and query ilike 'listen%' or query like '%pg_current_snapshot%' and pid <> pg_backend_pid()`
  await vi.waitFor(() => expect(lost).toHaveBeenCalled(), { timeout: 5_000 })
  await grind(asMiller(elsewhere), 1)
  await vi.waitFor(() => expect(here.sacks()).toEqual([1]), { timeout: 5_000 })
})

test('a backlog of many batches arrives whole, once, and in order', async () => {
  const before = hear('durable')
  await process([before.consumer])
  await running.pop()?.stop()
  await database.owner`
    insert into events (name, actor_type, data, created_at)
    select ${ground.name}, 'system', json_build_object('sack', n), now() from generate_series(1, 2345) as n`
  const after = hear('durable', { name: before.consumer.name })
  await process([after.consumer])
  await vi.waitFor(() => expect(after.sacks()).toHaveLength(2345), { timeout: 10_000 })
  expect(after.sacks()).toEqual(Array.from({ length: 2345 }, (_, index) => index + 1))
})

test('in a database restored from a copy, consumers go on where the copy left them and hear what is new', async () => {
  const restored = await testDatabase()
  const consumers = ['behind', 'level', 'amid'].map((name) => ({ ...hear('durable', { name }), name }))
  const everywhere = hear('every_process')
  const write = (sack: number, tx_id: string) => restored.owner`
    insert into events (name, actor_type, data, created_at, tx_id)
    values (${ground.name}, 'system', json_build_object('sack', ${sack}::int), now(), ${tx_id}::xid8)`
  // As the old cluster numbered them, far ahead of this one: `behind` has handled 1, `level` all, `amid` is between 1 and 2 of a long batch.
  for (const sack of [1, 2, 3]) await write(sack, `${9_000_000_000 + sack}`)
  const [first] = await restored.owner<{ seq: number }[]>`select min(seq) as seq from events`
  await restored.owner`
    insert into event_cursors (consumer, snapshot, target, seq, floor) values
      ('behind', '9000000002:9000000002:', null, 0, millrace.first_id(now())),
      ('level', '9000000009:9000000009:', null, 0, millrace.first_id(now())),
      ('amid', '9000000001:9000000001:', '9000000009:9000000009:', ${first?.seq ?? 0}, millrace.first_id(now()))`
  await restored.owner`update event_cursors set floor = millrace.first_id(now() - interval '1 day')`
  const modules = [{ name: 'mill', consumers: [...consumers.map(({ consumer }) => consumer), everywhere.consumer] }]
  const { app, stop } = await bareApp({ database: restored.handle, modules, services: [eventStart, eventRunner] })
  await grind(asMiller(app), 4)
  const heard = (): number[][] => consumers.map(({ sacks }) => sacks())
  await vi.waitFor(() => expect(heard()).toEqual([[2, 3, 4], [4], [2, 3, 4]]))
  await vi.waitFor(() => expect(everywhere.sacks()).toEqual([4]))
  await stop()
  await restored.close()
})

test('an idle process asks the database at most once a second', async () => {
  const quiet = await testDatabase()
  const consumers = [hear('durable').consumer, hear('durable').consumer, hear('every_process').consumer]
  const { stop } = await bareApp({ database: quiet.handle, modules: [{ name: 'mill', consumers }], services: [eventStart, eventRunner] })
  const count = async (): Promise<number> => {
    const [row] = await quiet.owner<{ n: number }[]>`
      select xact_commit + xact_rollback as n
      from pg_stat_database
      where datname = current_database()`
    return row?.n ?? 0
  }
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  const before = await count()
  await new Promise((resolve) => setTimeout(resolve, 4_000))
  const asked = (await count()) - before
  // PostgreSQL counts with a second's delay; one of them may be the measurement itself.
  expect(asked).toBeGreaterThanOrEqual(2)
  expect(asked).toBeLessThanOrEqual(6)
  await stop()
  await quiet.close()
})
