import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BareApp, bareApp } from '../platform/testing/bare-app.ts'
import { type TestDatabase, testDatabase } from '../platform/testing/test-database.ts'
import { readExecution } from './history.ts'
import { recordsOf } from './read-records.ts'

let database: TestDatabase
let mill: BareApp

beforeAll(async () => {
  database = await testDatabase()
  mill = await bareApp({ database: database.handle })
})
afterAll(async () => {
  await mill.stop()
  await database.close()
})

test('a journal of large records is read a few megabytes at a time, and listed in pages', async () => {
  const { owner } = database
  const [id, workspace_id] = [mill.app.newId(), mill.app.newId()]
  const records = 30
  await owner`
    insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, started_at)
    values (${id}, ${workspace_id}, ${mill.app.newId()}, 1, 'live', 'running', 'trigger.manual', 'start', now())`
  const step = {
    attempt: 1,
    status: 'succeeded',
    port: 'out',
    output: 'x'.repeat(2 * 1024 * 1024),
    error: null,
    started_at: 0,
    finished_at: 0,
    retry_at: null,
  }
  for (let seq = 0; seq < records; seq += 1) {
    const trigger = seq === 0 ? { trigger: { node_id: 'start', payload: {} } } : {}
    const body = JSON.stringify({ at: 0, ...trigger, steps: [{ node_id: `s${seq}`, ...step }] })
    await owner`insert into execution_records (execution_id, seq, workspace_id, body) values (${id}, ${seq}, ${workspace_id}, ${body}::text::json)`
  }
  const source = mill.app.asSystem('a test looks')
  const first = await recordsOf(source, id, 0)
  expect([first.rows.map(({ seq }) => seq), first.more]).toEqual([[0, 1], true])
  const seen: string[] = []
  let pages = 0
  for (let from: number | null = 0; from !== null; pages += 1) {
    const page = await readExecution(source, id, { payloads: false, from_record: from })
    seen.push(...(page?.steps ?? []).map(({ node_id }) => node_id))
    from = page?.next_record ?? null
  }
  expect([seen, pages]).toEqual([Array.from({ length: records }, (_, seq) => `s${seq}`), 2])
  expect(await recordsOf(source, id, records)).toEqual({ rows: [], more: false })
})
