import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { Type } from 'typebox'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { App, Ctx, TxCtx } from '../context.ts'
import { defineEvent } from '../events/event.ts'
import { type BareApp, bareApp } from '../testing/bare-app.ts'
import { testDatabase, type TestDatabase } from '../testing/test-database.ts'

const noted = defineEvent({ name: 'notes.noted', doc: 'A note was made.', data: Type.Object({ body: Type.String() }) })

let database: TestDatabase
let bare: BareApp
let app: App
let ctx: Ctx

const user_id = randomUUID()
const workspace_id = randomUUID()

beforeAll(async () => {
  database = await testDatabase()
  await database.owner.unsafe(`
    create table notes (id uuid primary key default uuidv7(), workspace_id uuid not null, body text not null unique);
    call millrace.protect('notes', 'workspace_id = millrace.current_workspace_id()');
  `)
  bare = await bareApp({ database: database.handle })
  app = bare.app
  ctx = app.context({
    actor: {
      type: 'user',
      user_id,
      role: 'user',
      workspace_role: 'owner',
      plan: 'free',
      via: { type: 'session', session_id: randomUUID() },
      impersonator_id: null,
    },
    workspace_id,
    request_id: 'test',
  })
})
beforeEach(async () => {
  await database.owner`truncate notes, events`
})
afterAll(async () => {
  await bare.stop()
  await database.close()
})

const note = async (tx: TxCtx, body: string, workspace = tx.workspace_id): Promise<void> => {
  await sql`insert into notes (workspace_id, body) values (${workspace}, ${body})`.execute(tx.db)
}
const noteAndTell = async (tx: TxCtx, body: string): Promise<void> => {
  await note(tx, body)
  tx.emit(noted, { body })
}
const notes = async (): Promise<string[]> =>
  (await database.owner<{ body: string }[]>`select body from notes order by id`).map(({ body }) => body)
const events = async (): Promise<unknown[]> =>
  (await database.owner<{ data: unknown }[]>`select data from events order by seq`).map(({ data }) => data)

test('what is written and its events are there together after the commit', async () => {
  const result = await ctx.tx(async (tx) => {
    await noteAndTell(tx, 'one')
    await noteAndTell(tx, 'two')
    return 'done'
  })
  expect(result).toBe('done')
  expect(await notes()).toEqual(['one', 'two'])
  const recorded = await database.owner`select name, workspace_id, actor_type, actor_id, data from events order by seq`
  expect([...recorded]).toEqual([
    { name: 'notes.noted', workspace_id, actor_type: 'user', actor_id: user_id, data: { body: 'one' } },
    { name: 'notes.noted', workspace_id, actor_type: 'user', actor_id: user_id, data: { body: 'two' } },
  ])
})

test('nothing is left when the work throws: no row, no event, no effect', async () => {
  const effect = vi.fn<() => void>()
  const failing = ctx.tx(async (tx) => {
    await noteAndTell(tx, 'one')
    tx.afterCommit(effect)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect([await notes(), await events()]).toEqual([[], []])
  expect(effect).not.toHaveBeenCalled()
})

test('a failed statement that nobody minded does not pass for a commit', async () => {
  const failing = ctx.tx(async (tx) => {
    await noteAndTell(tx, 'one')
    await note(tx, 'one').catch(() => 'ignored')
  })
  await expect(failing).rejects.toThrow()
  expect([await notes(), await events()]).toEqual([[], []])
})

test('effects run after the commit, in order, before the caller goes on; one that fails takes nothing back', async () => {
  const order: string[] = []
  await ctx.tx(async (tx) => {
    await note(tx, 'one')
    tx.afterCommit(async () => void order.push(`first sees ${(await notes()).join()}`))
    tx.afterCommit(() => {
      throw new Error('no')
    })
    tx.afterCommit(() => void order.push('third'))
    order.push('work')
  })
  expect(order).toEqual(['work', 'first sees one', 'third'])
})

test('a transaction within a transaction is the same one', async () => {
  const failing = ctx.tx(async (tx) => {
    await tx.tx((inner) => noteAndTell(inner, 'inner'))
    await noteAndTell(tx, 'outer')
    expect((await sql<{ n: number }>`select count(*)::int as n from notes`.execute(tx.db)).rows).toEqual([{ n: 2 }])
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect([await notes(), await events()]).toEqual([[], []])
})

test('a transaction that has ended does nothing any more', async () => {
  const kept = Promise.withResolvers<TxCtx>()
  await ctx.tx(async (tx) => {
    kept.resolve(tx)
    await note(tx, 'one')
  })
  const tx = await kept.promise
  await expect(note(tx, 'two')).rejects.toThrow('has ended')
  await expect(tx.tx((inner) => note(inner, 'three'))).rejects.toThrow('has ended')
  expect(() => tx.emit(noted, { body: 'late' })).toThrow('has ended')
  expect(() => tx.afterCommit(() => undefined)).toThrow('has ended')
  expect(await notes()).toEqual(['one'])
})

test('a transaction writes within its own workspace, and the system for the one it is told', async () => {
  await expect(ctx.tx((tx) => note(tx, 'theirs', randomUUID()))).rejects.toMatchObject({ code: '42501' })
  expect(await notes()).toEqual([])
  const other = randomUUID()
  await app.asSystem('a test writes for a workspace', other).tx((tx) => noteAndTell(tx, 'by the system'))
  const [event] = await database.owner`select workspace_id, actor_type, actor_id from events`
  expect(event).toEqual({ workspace_id: other, actor_type: 'system', actor_id: null })
  await ctx.tx(async (tx) => {
    expect((await sql`select * from notes`.execute(tx.db)).rows).toEqual([])
  })
  expect((await sql`select * from notes`.execute(app.asSystem('a test reads everything').db)).rows).toHaveLength(1)
})

test('two that collide both succeed in the end, each with its own events alone', async () => {
  await ctx.tx(async (tx) => {
    await note(tx, 'a')
    await note(tx, 'b')
  })
  let tries = 0
  const bothHold = Promise.withResolvers<void>()
  const swap = (first: string, second: string): Promise<void> =>
    ctx.tx(async (tx) => {
      tries++
      await sql`update notes set body = body || '!' where body ^@ ${first}`.execute(tx.db)
      tx.emit(noted, { body: first })
      if (tries === 2) bothHold.resolve()
      await bothHold.promise
      await sql`update notes set body = body || '?' where body ^@ ${second}`.execute(tx.db)
    })
  await Promise.all([swap('a', 'b'), swap('b', 'a')])
  expect(tries).toBe(3)
  expect((await notes()).map((body) => body.split('').toSorted().join(''))).toEqual(['!?a', '!?b'])
  expect(await events()).toHaveLength(2)
})

test('queries of one transaction may be sent together', async () => {
  await ctx.tx(async (tx) => {
    await Promise.all(Array.from({ length: 50 }, (_, index) => note(tx, `n${index}`)))
  })
  expect(await notes()).toHaveLength(50)
})

test('more transactions than connections wait their turn', async () => {
  await Promise.all(Array.from({ length: 100 }, (_, index) => ctx.tx((tx) => noteAndTell(tx, `n${index}`))))
  expect(await notes()).toHaveLength(100)
  expect(await events()).toHaveLength(100)
})

test('a transaction whose connection is cut says so, writes nothing, and the next one works', async () => {
  const failing = ctx.tx(async (tx) => {
    await noteAndTell(tx, 'one')
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx.db)
    await database.owner`select pg_terminate_backend(${rows[0]?.pid as number})`
    await note(tx, 'two')
  })
  await expect(failing).rejects.toMatchObject({ code: 'database.unavailable' })
  expect([await notes(), await events()]).toEqual([[], []])
  await ctx.tx((tx) => noteAndTell(tx, 'three'))
  expect(await notes()).toEqual(['three'])
})

test('a commit whose answer never came is not passed off as a failure', async () => {
  await database.owner.unsafe(`
    create function cut() returns trigger language plpgsql security definer as $$
    begin
      perform pg_terminate_backend(pg_backend_pid());
      return null;
    end $$;
    create table cut_at_commit (workspace_id uuid not null);
    call millrace.protect('cut_at_commit', 'workspace_id = millrace.current_workspace_id()');
    create constraint trigger cut after insert on cut_at_commit deferrable initially deferred for each row execute function cut();
  `)
  const failing = ctx.tx(async (tx) => {
    await noteAndTell(tx, 'one')
    await sql`insert into cut_at_commit values (${workspace_id})`.execute(tx.db)
  })
  await expect(failing).rejects.toMatchObject({ code: 'database.outcome_unknown' })
})
