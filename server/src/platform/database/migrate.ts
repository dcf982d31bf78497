import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { Sql } from 'postgres'
import type { Logger } from '../log.ts'
import { StartError } from '../start-error.ts'

/** A module as far as its tables go. In the order in which the modules depend on each other. */
export interface MigrationSource {
  readonly name: string
  /** The folder with its `NNNN-name.sql` files, applied in the order of their names. */
  readonly migrations: URL
}

export interface Migration {
  readonly module: string
  readonly name: string
  readonly text: string
  readonly checksum: string
}

export const platformMigrations: MigrationSource = { name: 'platform', migrations: new URL('../migrations/', import.meta.url) }

/** What all sources hold, in order, those of the platform first. */
export const readMigrations = async (sources: readonly MigrationSource[]): Promise<Migration[]> => {
  const ordered = [platformMigrations, ...sources.filter((source) => source.name !== platformMigrations.name)]
  const perModule = await Promise.all(ordered.map(readModule))
  return perModule.flat()
}

const readModule = async (source: MigrationSource): Promise<Migration[]> => {
  const files = (await readdir(source.migrations)).filter((file) => file.endsWith('.sql')).toSorted()
  const wrong = files.find((file, index) => !/^\d{4}-[a-z0-9-]+\.sql$/.test(file) || Number(file.slice(0, 4)) !== index + 1)
  if (wrong !== undefined)
    throw new Error(`${source.name}: migrations are numbered from 0001 without gaps, as NNNN-name.sql; ${wrong} is not.`)
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, source.migrations), 'utf8')
      // Git may check the same file out with other line ends.
      const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex')
      return { module: source.name, name: file.slice(0, -4), text, checksum }
    }),
  )
}

export interface MigrateOptions {
  /** A client of one connection, signed in as the owner of the tables. */
  readonly sql: Sql
  readonly modules: readonly MigrationSource[]
  readonly log: Logger
  /** Stop when the database holds this many migrations: for the test that every prefix is a valid database. */
  readonly up_to?: number
}

/**
 * Brings the schema up to date: each file in a transaction of its own, under one advisory lock, so that of several processes
 * that start together one migrates and the others wait for it. Answers how many files it applied.
 *
 * Row-level security holds for the owner of the tables too: a migration that changes rows begins with `set local role millrace_system`,
 * or it changes none where the owner is not a superuser.
 *
 * `StartError` when the database knows a migration that this server does not have (it belongs to a newer version), or when a file
 * that is applied has been edited since.
 */
export const migrate = async ({ sql, modules, log, up_to }: MigrateOptions): Promise<number> => {
  const migrations = await readMigrations(modules)
  await checkVersion(sql)
  await sql.unsafe(`select pg_advisory_lock(hashtext('millrace.migrations'))`)
  try {
    await sql.unsafe(prepare)
    const pending = findPending(migrations, await readApplied(sql)).slice(
      0,
      up_to === undefined ? undefined : up_to - (await countApplied(sql)),
    )
    for (const migration of pending) {
      await apply(sql, migration)
      log.info({ module: migration.module, migration: migration.name }, 'migration applied')
    }
    return pending.length
  } finally {
    await sql.unsafe(`select pg_advisory_unlock(hashtext('millrace.migrations'))`)
  }
}

const checkVersion = async (sql: Sql): Promise<void> => {
  const [row] = await sql.unsafe<{ number: number; version: string }[]>(
    `select current_setting('server_version_num')::int as number, current_setting('server_version') as version`,
  )
  if (row !== undefined && row.number < 180_000) {
    throw new StartError(
      `The database is PostgreSQL ${row.version}; this server needs 18 or later.`,
      'Point DATABASE_URL at a PostgreSQL 18, or leave it out to use the embedded one.',
    )
  }
}

const prepare = `
create schema if not exists millrace;
create table if not exists millrace.migrations (
  module text not null,
  name text not null,
  checksum text not null,
  applied_at timestamptz(3) not null default now(),
  primary key (module, name)
)`

interface Applied {
  readonly module: string
  readonly name: string
  readonly checksum: string
}

const readApplied = (sql: Sql): Promise<Applied[]> => sql.unsafe<Applied[]>('select module, name, checksum from millrace.migrations')

const countApplied = async (sql: Sql): Promise<number> => {
  const [row] = await sql.unsafe<{ count: number }[]>('select count(*)::int as count from millrace.migrations')
  return row?.count ?? 0
}

/** What is left to do, or a `StartError` when the database and the files do not belong together. Pure. */
export const findPending = (migrations: readonly Migration[], applied: readonly Applied[]): Migration[] => {
  const key = (of: { module: string; name: string }): string => `${of.module}/${of.name}`
  const known = new Map(migrations.map((migration) => [key(migration), migration]))
  const unknown = applied.filter((row) => !known.has(key(row))).map(key)
  if (unknown.length > 0) {
    throw new StartError(
      `The database belongs to a newer version of the server: it has ${unknown.toSorted().join(', ')}, which this version does not know.`,
      'Start the newer version. To go back, restore a backup from before the update; the schema is never taken back in place.',
    )
  }
  const edited = applied.filter((row) => known.get(key(row))?.checksum !== row.checksum).map(key)
  if (edited.length > 0) {
    throw new StartError(
      `Migrations that are already applied have been changed since: ${edited.toSorted().join(', ')}.`,
      'Restore the files as they were and put the change into a new migration.',
    )
  }
  const done = new Set(applied.map(key))
  return migrations.filter((migration) => !done.has(key(migration)))
}

const apply = async (sql: Sql, migration: Migration): Promise<void> => {
  try {
    // One message each: PostgreSQL parses the file as it stands, and no part of it is applied without its row.
    await sql.unsafe(`begin; set local lock_timeout = '10s'; set local search_path = public`)
    await sql.unsafe(migration.text).simple()
    await sql.unsafe('insert into millrace.migrations (module, name, checksum) values ($1, $2, $3)', [
      migration.module,
      migration.name,
      migration.checksum,
    ])
    await sql.unsafe('commit')
  } catch (error) {
    await sql.unsafe('rollback').catch(() => null)
    throw describe(error, migration)
  }
}

const describe = (error: unknown, migration: Migration): unknown => {
  const { code, message, position } = error as { code?: string; message?: string; position?: string }
  const where = position === undefined ? '' : ` at line ${migration.text.slice(0, Number(position)).split('\n').length}`
  const what = `The migration ${migration.module}/${migration.name} failed${where}: ${message ?? String(error)}`
  if (code === '55P03')
    return new StartError(
      what,
      'Another session holds a lock on one of its tables. End it and start again; nothing of this migration was kept.',
      error,
    )
  if (code === '42501') {
    return new StartError(
      what,
      'The user of DATABASE_URL must own the database and have CREATEROLE, for the roles millrace_app and millrace_system.',
      error,
    )
  }
  return new Error(what, { cause: error })
}
