import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../testing/test-database.ts'
import type { ReadDb } from './open.ts'
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
    for (const body of ['one', 'two', 'three']) await database.owner`insert into notes (workspace_id, body) values (${scope.workspace_id}, ${body})`
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
