import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pino from 'pino'
import type { Sql } from 'postgres'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { StartError } from '../start-error.ts'
import { allMigrations } from '../testing/all-migrations.ts'
import { findUnprotected } from '../testing/catalogue.ts'
import { testDatabase, type TestDatabase } from '../testing/test-database.ts'
import { openDataDirectory } from './data-directory.ts'
import { startEmbeddedPostgres } from './embedded.ts'
import { driverOptions, openClient } from './link.ts'
import { migrate, type MigrationSource, readMigrations } from './migrate.ts'
import { openDatabase } from './open.ts'

const log = pino({ level: 'silent' })
let modules: readonly MigrationSource[]
let folder: string
let databases: TestDatabase[] = []

beforeAll(async () => {
  modules = await allMigrations()
  folder = await mkdtemp(join(tmpdir(), 'millrace-migrations-'))
})
afterEach(async () => {
  await Promise.all(databases.map((database) => database.close()))
  databases = []
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const emptyDatabase = async (): Promise<TestDatabase> => {
  const database = await testDatabase({ empty: true })
  databases.push(database)
  return database
}

/** One connection, as the migrations need it. */
const withOwner = async <T>(database: TestDatabase, work: (sql: Sql) => Promise<T>): Promise<T> => {
  const sql = openClient(database.connection, { ...driverOptions({ connection: database.connection, role: null }), max: 1 })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

/** Everything that the migrations make, as text: two databases with the same are the same to the server. */
const describeSchema = async (sql: Sql): Promise<readonly string[]> => {
  const rows = await sql<{ line: string }[]>`
    select format('%s.%s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull) as line
    from pg_attribute
    where attrelid in (select oid from pg_class where relnamespace in ('public'::regnamespace, 'millrace'::regnamespace) and relkind in ('r', 'p', 'v'))
      and attnum > 0
      and not attisdropped
    union all
    select indexdef from pg_indexes where schemaname = 'public'
    union all
    select format('%s %s %s %s %s', tablename, policyname, roles, qual, with_check) from pg_policies where schemaname = 'public'
    union all
    select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select pg_get_functiondef(oid) from pg_proc where pronamespace = 'millrace'::regnamespace
    order by line`
  return rows.map(({ line }) => line)
}

test('every prefix of the migrations is a valid database, and what follows can be applied to it', async () => {
  const [stepwise, atOnce] = await Promise.all([emptyDatabase(), emptyDatabase()])
  const all = await readMigrations(modules)
  expect(all.length).toBeGreaterThan(3)
  await withOwner(stepwise, async (sql) => {
    for (let count = 1; count <= all.length; count++) {
      const where = `after ${all[count - 1]?.module}/${all[count - 1]?.name}`
      expect(await migrate({ sql, modules, log, up_to: count }), where).toBe(1)
      expect(await findUnprotected(sql), where).toEqual([])
      // The server of that day starts on it and finds nothing left to do.
      expect(await migrate({ sql, modules, log, up_to: count }), where).toBe(0)
    }
  })
  expect(await atOnce.handle.migrate(modules)).toBe(all.length)
  expect(await describeSchema(stepwise.owner)).toEqual(await describeSchema(atOnce.owner))
})

test('of several servers that start together one migrates and the others wait for it', async () => {
  const database = await emptyDatabase()
  const handles = await Promise.all([database.open(), database.open(), database.open()])
  const applied = await Promise.all(handles.map((handle) => handle.migrate(modules)))
  const all = await readMigrations(modules)
  expect(applied.toSorted((a, b) => a - b)).toEqual([0, 0, all.length])
  expect((await database.owner`select from millrace.migrations`).count).toBe(all.length)
})

test('a server refuses a database of a newer one, and names what it does not know', async () => {
  const database = await emptyDatabase()
  await database.handle.migrate(modules)
  await database.owner`insert into millrace.migrations (module, name, checksum) values ('orchard', '0001-orchard', 'x')`
  const refused = database.handle.migrate(modules)
  await expect(refused).rejects.toBeInstanceOf(StartError)
  await expect(refused).rejects.toThrow(/newer version.*orchard\/0001-orchard/)
})

test('an applied migration that was edited is refused; other line ends are no edit', async () => {
  const database = await emptyDatabase()
  const at = await mkdtemp(join(folder, 'edited-'))
  const extra: MigrationSource = { name: 'extra', migrations: pathToFileURL(`${at}/`) }
  const write = (text: string): Promise<void> => writeFile(join(at, '0001-extra.sql'), text)
  await write('create table extra (id int);\n')
  await database.handle.migrate([extra])
  await write('create table extra (id int);\r\n')
  expect(await database.handle.migrate([extra])).toBe(0)
  await write('create table extra (id bigint);\n')
  const refused = database.handle.migrate([extra])
  await expect(refused).rejects.toBeInstanceOf(StartError)
  await expect(refused).rejects.toThrow('extra/0001-extra')
})

test('a migration that fails leaves nothing of itself, keeps those before it, and says where it failed', async () => {
  const database = await emptyDatabase()
  const at = await mkdtemp(join(folder, 'failing-'))
  await writeFile(join(at, '0001-good.sql'), 'create table good (id int);')
  await writeFile(join(at, '0002-bad.sql'), 'create table half (id int);\n\nselect * from nowhere;')
  const failing: MigrationSource = { name: 'failing', migrations: pathToFileURL(`${at}/`) }
  await expect(database.handle.migrate([failing])).rejects.toThrow(/failing\/0002-bad failed at line 3: .*nowhere/)
  const [row] = await database.owner`select to_regclass('good')::text as good, to_regclass('half')::text as half`
  expect(row).toEqual({ good: 'good', half: null })
  await writeFile(join(at, '0002-bad.sql'), 'create table whole (id int);')
  expect(await database.handle.migrate([failing])).toBe(1)
})

test('migrations are numbered without gaps', async () => {
  const at = await mkdtemp(join(folder, 'gap-'))
  await writeFile(join(at, '0002-second.sql'), 'select 1;')
  await expect(readMigrations([{ name: 'gap', migrations: pathToFileURL(`${at}/`) }])).rejects.toThrow('0002-second.sql')
})

test('a fresh cluster: many databases migrate at once, and so does one whose owner is not a superuser', async () => {
  const directory = await openDataDirectory(join(folder, 'cluster'))
  const server = await startEmbeddedPostgres({ directory, log, fsync: false })
  const admin = openClient(server, { ...driverOptions({ connection: server, role: null }), max: 1 })
  try {
    const names = Array.from({ length: 6 }, (_, index) => `mill_${index}`)
    await admin.unsafe('create role plain login createrole')
    for (const name of names) await admin.unsafe(`create database ${name} ${name === 'mill_0' ? 'owner plain' : ''}`)
    const open = (name: string, user: string) =>
      openDatabase({ connection: { host: server.host, port: server.port, user, database: name }, log })
    // The roles belong to the cluster: these meet there.
    const shared = await Promise.all(names.slice(1).map((name) => open(name, 'millrace')))
    await Promise.all(shared.map((handle) => handle.migrate(modules)))
    await Promise.all(shared.map((handle) => handle.close()))
    await admin.unsafe('grant millrace_app, millrace_system to plain with admin option, inherit false')
    const plain = await open('mill_0', 'plain')
    await plain.migrate(modules)
    await plain.transaction({ role: 'millrace_app', user_id: null, workspace_id: null }, async (tx) => {
      await tx.run(`insert into events (name, actor_type, data, created_at) values ('a.b', 'system', '{}', now())`, [])
      return { result: null }
    })
    const asSystem = plain.readSql({ role: 'millrace_system', user_id: null, workspace_id: null })
    expect(await asSystem('select name from events', [])).toEqual([{ name: 'a.b' }])
    const asNobody = plain.readSql({ role: 'millrace_app', user_id: null, workspace_id: null })
    expect(await asNobody('select name from events', [])).toEqual([])
    await plain.close()
  } finally {
    await admin.end()
    await server.stop()
    await directory.close()
  }
})

test('a new table that nobody protected is found', async () => {
  const database = await testDatabase()
  databases.push(database)
  expect(await findUnprotected(database.owner)).toEqual([])
  await database.owner.unsafe(`
    create table forgotten (id int);
    create table half (id int);
    alter table half enable row level security;
    create view peephole as select * from users;
    create table given (id int);
    call millrace.protect('given', 'true');
    grant select on given to public;
  `)
  expect(await findUnprotected(database.owner)).toEqual([
    'forgotten has no policy for millrace_app: call millrace.protect',
    'forgotten has no policy for millrace_system: call millrace.protect',
    'forgotten is not under forced row-level security: call millrace.protect',
    'given has rights granted to everybody',
    'half has no policy for millrace_app: call millrace.protect',
    'half has no policy for millrace_system: call millrace.protect',
    'half is not under forced row-level security: call millrace.protect',
    expect.stringContaining('peephole is a view'),
  ])
})

test('next weeks’ partitions are made once, for every table that is partitioned by time, and rows find theirs', async () => {
  const database = await testDatabase()
  databases.push(database)
  const make = async (): Promise<number> => {
    const [row] = await database.handle.system<{ made: number }[]>`select millrace.make_partitions('2030-01-01', 2) as made`
    return row?.made ?? -1
  }
  const made = await make()
  expect(made).toBeGreaterThanOrEqual(2)
  expect(made % 2).toBe(0)
  expect(await make()).toBe(0)
  await database.owner`
    insert into events (id, name, actor_type, data, created_at)
    values (millrace.first_id('2030-01-02'), 'a.b', 'system', '{}', now()), (millrace.first_id('2031-01-02'), 'a.b', 'system', '{}', now())`
  const rows = await database.owner`select tableoid::regclass::text as partition from events order by id`
  expect(rows.map(({ partition }) => partition)).toEqual(['events_2030w01', 'events_default'])
  const plan =
    await database.owner`explain select from events where id >= millrace.first_id('2030-01-02') and id < millrace.first_id('2030-01-03')`
  const scanned = plan.map((line) => line['QUERY PLAN'] as string).filter((line) => line.includes(' on events_'))
  expect(scanned.every((line) => line.includes('events_2030w01'))).toBe(true)
  expect(await findUnprotected(database.owner)).toEqual([])
})
