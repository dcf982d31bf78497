import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'
import { type DatabaseHandle, openDatabase } from './open.ts'
import type { Scope } from './scope.ts'

const log = pino({ level: 'silent' })
const a: Scope = { role: 'millrace_app', user_id: randomUUID(), workspace_id: randomUUID() }
const b: Scope = { role: 'millrace_app', user_id: randomUUID(), workspace_id: randomUUID() }

let path: string
let directory: DataDirectory
let server: EmbeddedPostgres
let database: DatabaseHandle

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'millrace-outage-'))
  directory = await openDataDirectory(path)
  server = await startEmbeddedPostgres({ directory, log, fsync: false })
  database = await openDatabase({ connection: { host: server.host, port: server.port, user: server.user, database: server.database }, log })
  await database.migrate([])
  for (const scope of [a, b]) await record(scope, 'ready')
})

afterAll(async () => {
  await database.close()
  await server.stop()
  await directory.close()
  await rm(path, { recursive: true, force: true })
})

const record = (scope: Scope, name: string): Promise<void> =>
  database.transaction(scope, async (tx) => {
    await tx.run(`insert into events (name, workspace_id, actor_type, data, created_at) values ($1, $2, 'system', '{}', now())`, [
      name,
      scope.workspace_id,
    ])
    return { result: undefined }
  })

const own = (scope: Scope): Promise<Record<string, unknown>[]> =>
  database.readSql(scope)('select workspace_id from events where name = $1', ['ready'])

const killServer = async (): Promise<void> => {
  const pid = await vi.waitFor(() => server.pid() ?? expect.fail('PostgreSQL is not running.'), { timeout: 10_000 })
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(() => expect(server.pid()).not.toBe(pid))
}

test('reads go on through a killed PostgreSQL: each answers in its own scope, none comes back empty', async () => {
  let reading = true
  let answered = 0
  const reader = async (scope: Scope): Promise<void> => {
    while (reading) {
      expect(await own(scope)).toEqual([{ workspace_id: scope.workspace_id }])
      answered++
    }
  }
  const readers = Array.from({ length: 16 }, (_, index) => reader(index % 2 === 0 ? a : b))
  for (let round = 0; round < 3; round++) {
    await sleep(100)
    await killServer()
    const before = answered
    await vi.waitFor(() => expect(answered).toBeGreaterThan(before + 100), { timeout: 10_000 })
  }
  reading = false
  await Promise.all(readers)
}, 60_000)

test('transactions through a killed PostgreSQL are done or not done, and what was acknowledged is there', async () => {
  const acknowledged = new Set<string>()
  const refused = new Set<string>()
  let writing = true
  const writer = async (scope: Scope): Promise<void> => {
    while (writing) {
      const name = `written.${randomUUID()}`
      await record(scope, name).then(
        () => acknowledged.add(name),
        (error: { code?: string }) => {
          // One whose commit was under way is in neither set: it may be there or not.
          if (error.code === 'database.unavailable') refused.add(name)
          else expect(error.code).toBe('database.outcome_unknown')
        },
      )
    }
  }
  const writers = Array.from({ length: 8 }, (_, index) => writer(index % 2 === 0 ? a : b))
  for (let round = 0; round < 3; round++) {
    const before = acknowledged.size
    await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + 20), { timeout: 10_000 })
    await killServer()
  }
  const before = acknowledged.size
  await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + 20), { timeout: 10_000 })
  writing = false
  await Promise.all(writers)
  const rows = await database.readSql({ role: 'millrace_system', user_id: null, workspace_id: null })(
    `select name from events where name ^@ 'written.'`,
    [],
  )
  const found = new Set(rows.map((row) => row['name'] as string))
  expect([...acknowledged].filter((name) => !found.has(name))).toEqual([])
  expect([...refused].filter((name) => found.has(name))).toEqual([])
}, 60_000)

test('a listener is told when its connection was lost, and hears again', async () => {
  const heard: string[] = []
  const lost = vi.fn<() => void>()
  const stop = await database.listen('mill', (payload) => void heard.push(payload), { onLost: lost })
  await database.system`select pg_notify('mill', 'one')`
  await vi.waitFor(() => expect(heard).toEqual(['one']))
  await killServer()
  await vi.waitFor(() => expect(lost).toHaveBeenCalledTimes(1), { timeout: 10_000 })
  await database.system`select pg_notify('mill', 'two')`
  await vi.waitFor(() => expect(heard).toEqual(['one', 'two']))
  await stop()
})

test('while there is no database for longer, a read and a transaction say so as a 503', async () => {
  await server.stop()
  const started = performance.now()
  await Promise.all([
    expect(own(a)).rejects.toMatchObject({ code: 'database.unavailable', declaration: { status: 503 } }),
    expect(record(a, 'lost')).rejects.toMatchObject({ code: 'database.unavailable', declaration: { status: 503 } }),
  ])
  expect(performance.now() - started).toBeLessThan(8_000)
})
