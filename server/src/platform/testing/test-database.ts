import { randomBytes } from 'node:crypto'
import pino from 'pino'
import postgres from 'postgres'
import { inject } from 'vitest'
import { type ConnectionOptions, driverOptions, openClient } from '../database/link.ts'
import { type DatabaseHandle, type DatabaseOptions, openDatabase } from '../database/open.ts'

/** The PostgreSQL that the test run shares. */
export interface Cluster {
  readonly host: string
  readonly port: number
  readonly user: string
}

export const templateName = 'millrace_template'

export interface TestDatabase {
  readonly connection: ConnectionOptions
  readonly handle: DatabaseHandle
  /** The driver as the owner of the tables, past every policy: to lay out fixtures and to look at what happened. */
  readonly owner: postgres.Sql
  /** Another handle on the same database, as a second process would have; closed with the first. */
  readonly open: (pool?: DatabaseOptions['pool']) => Promise<DatabaseHandle>
  readonly close: () => Promise<void>
}

export interface TestDatabaseOptions {
  /** An empty database instead of a migrated one. */
  readonly empty?: true
  readonly log?: DatabaseOptions['log']
}

/** A database of its own for a test file: `const database = await testDatabase()`, and `afterAll(database.close)`. Takes about 50 ms. */
export const testDatabase = async (options: TestDatabaseOptions = {}): Promise<TestDatabase> => {
  const cluster = inject('cluster')
  const log = options.log ?? pino({ level: 'silent' })
  const name = `test_${randomBytes(8).toString('hex')}`
  const admin = postgres({ ...cluster, database: 'millrace', max: 1, onnotice: () => undefined })
  await admin.unsafe(`create database ${name} template ${options.empty ? 'template0' : templateName}`)
  const connection: ConnectionOptions = { ...cluster, database: name }
  const handles: DatabaseHandle[] = []
  const open = async (pool?: DatabaseOptions['pool']): Promise<DatabaseHandle> => {
    const handle = await openDatabase({ connection, log, ...(pool ? { pool } : {}) })
    handles.push(handle)
    return handle
  }
  const owner = openClient(connection, { ...driverOptions({ connection, role: null }), max: 4 })
  return {
    connection,
    handle: await open(),
    owner,
    open,
    close: async () => {
      await Promise.all([...handles.map((handle) => handle.close()), owner.end({ timeout: 1 })])
      await admin.unsafe(`drop database ${name} with (force)`)
      await admin.end()
    },
  }
}
