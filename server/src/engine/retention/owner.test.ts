import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { afterAll, expect, test } from 'vitest'
import { createApp } from '../../app.ts'
import { modules } from '../../modules.ts'
import { fillHistory } from '../../modules/workflows/history/fill.testing.ts'
import { openDatabase } from '../../platform/database/open.ts'
import { allMigrations } from '../../platform/testing/all-migrations.ts'
import { testDatabase } from '../../platform/testing/test-database.ts'
import { roles } from '../../roles.ts'
import { summarise } from '../statistics/summarise.ts'
import { trimHistory } from './trim-history.ts'
import { listWeeks } from './weeks.ts'

const name = `plain_${randomBytes(8).toString('hex')}`
const admin = await testDatabase()
afterAll(async () => {
  await admin.owner.unsafe(`drop database if exists ${name} with (force)`)
  await admin.owner.unsafe(`drop role if exists ${name}`)
  await admin.close()
})

const day_ms = 86_400_000

test('weeks are dropped, and what is kept of them is moved, also where the owner of the tables is an ordinary user of the database', async () => {
  await admin.owner.unsafe(`create role ${name} login createrole`)
  await admin.owner.unsafe(`grant millrace_app, millrace_system to ${name} with admin option, inherit false`)
  await admin.owner.unsafe(`create database ${name} owner ${name} template template0`)
  const data_dir = await mkdtemp(join(tmpdir(), 'millrace-owner-'))
  const connection = { ...admin.connection, user: name, database: name }
  const database = await openDatabase({ connection, log: pino({ level: 'silent' }) })
  await database.migrate(await allMigrations())
  const env = { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent', MILLRACE_SECRET_KEY: Buffer.alloc(32, 'test').toString('base64') }
  const composition = createApp({ modules, roles, connection, env: { ...env, MILLRACE_DATA_DIR: data_dir } })
  try {
    const app = await composition.start()
    const { system } = database
    const from = Date.now() - 200 * day_ms
    await system`select millrace.make_partitions(${new Date(from).toISOString()}, 2)`
    const [workflow_id, workspace_id] = [app.newId(), app.newId()]
    await fillHistory(system, { workflow_id, workspace_id, count: 500, from, to: from + 5 * day_ms })
    const [kept] = await system<{ id: string }[]>`
      update executions
      set finished_at = null, status = 'waiting', wake_at = 'infinity'
      where id = (select id from executions where workflow_id = ${workflow_id} order by id limit 1)
      returning id`
    expect(await trimHistory(app.asSystem('a test'))).toMatchObject({ executions: 499, weeks: 2 })
    await summarise(app.asSystem('a test'))
    const left = await system`select id from executions where workflow_id = ${workflow_id}`
    expect(left).toEqual([kept])
    expect(await system`select seq from execution_records where execution_id = ${kept?.id as string}`).toEqual([{ seq: 0 }])
    expect((await listWeeks(app.asSystem('a test'))).every(({ lower }) => lower > (kept?.id as string))).toBe(true)
  } finally {
    await composition.stop()
    await database.close()
    await rm(data_dir, { recursive: true, force: true })
  }
})
