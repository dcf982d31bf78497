import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { openDataDirectory } from '../database/data-directory.ts'
import { startEmbeddedPostgres } from '../database/embedded.ts'
import { openDatabase } from '../database/open.ts'
import { allMigrations } from './all-migrations.ts'
import { type Cluster, templateName } from './test-database.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    cluster: Cluster
  }
}

/** One PostgreSQL for the whole run, with one migrated database that every test file clones. It lives in a temporary directory and ends with the run. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const log = pino({ level: 'error' })
  const path = await mkdtemp(join(tmpdir(), 'millrace-test-'))
  const directory = await openDataDirectory(path)
  const server = await startEmbeddedPostgres({
    directory,
    log,
    fsync: false,
    settings: { max_connections: '400', max_wal_size: '4GB', autovacuum: 'off' },
  })
  const cluster: Cluster = { host: server.host, port: server.port, user: server.user }
  const tearDown = async (): Promise<void> => {
    await server.stop()
    await directory.close()
    await rm(path, { recursive: true, force: true })
  }
  try {
    const admin = postgres({ ...cluster, database: 'millrace', max: 1 })
    await admin.unsafe(`create database ${templateName}`)
    await admin.end()
    const template = await openDatabase({ connection: { ...cluster, database: templateName }, log })
    await template.migrate(await allMigrations())
    await template.close()
  } catch (error) {
    await tearDown()
    throw error
  }
  project.provide('cluster', cluster)
  return tearDown
}
