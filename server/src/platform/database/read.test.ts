import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../testing/test-database.ts'
import type { ReadDb } from './open.ts'
import { savedQuery } from './saved-query.ts'
import type { Scope } from './scope.ts'

let database: TestDatabase

const a: Scope = { role: 'millrace_app', user_id: randomUUID(), workspace_id: randomUUID() }
const b: Scope = { role: 'millrace_app', user_id: randomUUID(), workspace_id: randomUUID() }
const nobody: Scope = { role: 'millrace_app', user_id: null, workspace_id: null }
const system: Scope = { role: 'millrace_system', user_id: null, workspace_id: null }

interface Note {
  id: string
  workspace_id: string
  body: string
}

const notes = async (db: ReadDb, suffix = ''): Promise<readonly Note[]> =>
  (await sql<Note>`select id, workspace_id, body from notes where body like ${`%${suffix}`}`.execute(db)).rows

beforeAll(async () => {
  database = await testDatabase()
  await database.owner.unsafe(`
    create table notes (id uuid primary key default uuidv7(), workspace_id uuid not null, body text not null);
    call millrace.protect('notes', 'workspace_id = millrace.current_workspace_id()');
  `)
  for (const scope of [a, b]) {
    for (const body of ['one', 'two', 'three'])
      await database.owner`insert into notes (workspace_id, body) values (${scope.workspace_id}, ${body})`
  }
})

afterAll(() => database.close())

test('a read sees the rows of its own workspace and no others', async () => {
  expect((await notes(database.handle.read(a))).map((note) => note.workspace_id)).toEqual([a.workspace_id, a.workspace_id, a.workspace_id])
  expect(await notes(database.handle.read(nobody))).toEqual([])
  expect(await notes(database.handle.read(system))).toHaveLength(6)
})

test('a thousand interleaved reads of two workspaces never mix', async () => {
  const scopes = [a, b, nobody]
  const reads = Array.from({ length: 1_000 }, async (_, index) => {
    const scope = scopes[index % 3] as Scope
    const found = await notes(database.handle.read(scope), ['', 'e', 'o'][index % 7] ?? '')
    expect(found.every((note) => note.workspace_id === scope.workspace_id)).toBe(true)
    if (scope !== nobody) expect(found.length).toBeGreaterThan(0)
    return found.length
  })
  const counts = await Promise.all(reads)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(1_000)
})

test('the read path cannot write: not in the types, and not past them', async () => {
  const db = database.handle.read(a)
  const neverRun = (): void => {
    // @ts-expect-error a ReadDb has no insert
    void db.insertInto('events')
    // @ts-expect-error nor an update
    void db.updateTable('events')
    // @ts-expect-error nor a delete
    void db.deleteFrom('events')
    // @ts-expect-error nor a transaction
    void db.transaction()
    // @ts-expect-error nor a way to write inside a common table expression
    void db.with('gone', (inner) => inner.deleteFrom('events').returningAll())
  }
  expect(neverRun).toBeTypeOf('function')
  const readOnly = { code: '25006' }
  await expect(sql`insert into notes (workspace_id, body) values (${a.workspace_id}, 'x')`.execute(db)).rejects.toMatchObject(readOnly)
  await expect(sql`with gone as (delete from notes returning *) select * from gone`.execute(db)).rejects.toMatchObject(readOnly)
  await expect(sql`update notes set body = 'x'`.execute(database.handle.read(system))).rejects.toMatchObject(readOnly)
  expect(await notes(db)).toHaveLength(3)
})

test('a saved query is compiled once and takes its values and its scope with each call', async () => {
  const ofName = savedQuery<{ name: string; since: string }>()((db, value) =>
    db.selectFrom('events').select(['name', 'workspace_id']).where('name', '=', value('name')).where('created_at', '>=', value('since')),
  )
  for (const scope of [a, b]) {
    for (const name of ['notes.made', 'notes.lost']) {
      await database.owner`insert into events (name, workspace_id, actor_type, data, created_at) values (${name}, ${scope.workspace_id}, 'system', '{}', now())`
    }
  }
  const since = '2020-01-01T00:00:00.000Z'
  for (const scope of [a, b, a]) {
    expect(await ofName(database.handle.read(scope), { name: 'notes.lost', since })).toEqual([
      { name: 'notes.lost', workspace_id: scope.workspace_id },
    ])
  }
  expect(await ofName(database.handle.read(a), { name: 'notes.made', since: '2999-01-01T00:00:00.000Z' })).toEqual([])
})

test('a read whose table changes under it while others wait behind it still answers within its own scope', async () => {
  const everything = async (scope: Scope): Promise<readonly Note[]> =>
    (await sql<Note>`select * from notes`.execute(database.handle.read(scope))).rows
  // Prepared on every lane before the change.
  await Promise.all(Array.from({ length: 30 }, (_, index) => everything(index % 2 === 0 ? a : b)))
  for (let column = 0; column < 5; column++) {
    await database.owner.unsafe(`alter table notes add column added_${column} text`)
    const reads = Array.from({ length: 60 }, async (_, index) => {
      const scope = index % 2 === 0 ? a : b
      const found = await everything(scope)
      expect(found.map((note) => note.workspace_id)).toEqual([scope.workspace_id, scope.workspace_id, scope.workspace_id])
      expect(found[0]).toHaveProperty(`added_${column}`)
    })
    await Promise.all(reads)
  }
})

test('a read that PostgreSQL refuses fails alone', async () => {
  const outcomes = await Promise.allSettled([
    notes(database.handle.read(a)),
    sql`select 1 / 0`.execute(database.handle.read(b)),
    notes(database.handle.read(b)),
    sql`select * from no_such_table`.execute(database.handle.read(a)),
    notes(database.handle.read({ ...a, workspace_id: 'not-a-uuid' })),
    notes(database.handle.read(a)),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'rejected', 'fulfilled'])
})
