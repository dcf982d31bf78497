import { randomBytes } from 'node:crypto'
import pino from 'pino'
import { afterAll, expect, test } from 'vitest'
import { openDatabase } from '../../platform/database/open.ts'
import { allMigrations } from '../../platform/testing/all-migrations.ts'
import { bareApp } from '../../platform/testing/bare-app.ts'
import { testDatabase } from '../../platform/testing/test-database.ts'
import * as audit from './audit.ts'
import { recorded } from './entries.testing.ts'
import { verifyAudit } from './verify.ts'

const name = `plain_${randomBytes(8).toString('hex')}`
const admin = await testDatabase()
afterAll(async () => {
  await admin.owner.unsafe(`drop database if exists ${name} with (force)`)
  await admin.owner.unsafe(`drop role if exists ${name}`)
  await admin.close()
})

test('the chain is kept also where the owner of the tables is an ordinary user of the database', async () => {
  await admin.owner.unsafe(`create role ${name} login createrole`)
  await admin.owner.unsafe(`grant millrace_app, millrace_system to ${name} with admin option, inherit false`)
  await admin.owner.unsafe(`create database ${name} owner ${name} template template0`)
  const connection = { ...admin.connection, user: name, database: name }
  const database = await openDatabase({ connection, log: pino({ level: 'silent' }) })
  try {
    await database.migrate(await allMigrations())
    const { app, stop } = await bareApp({ database })
    await audit.enter(
      app,
      Array.from({ length: 5 }, () => recorded()),
    )
    await stop()
    const [report] = await verifyAudit(database.system)
    expect(report).toMatchObject({ seq: 5, breach: null })
  } finally {
    await database.close()
  }
})
