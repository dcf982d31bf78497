import { readdir, rename, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { jobs, jobState } from '../../../engine/jobs.ts'
import { purgeExecutions } from '../../../engine/purge.ts'
import { recordsOf } from '../../../engine/read-records.ts'
import { sweepBlobs } from '../../../engine/retention/sweep-blobs.ts'
import { trimHistoryJob } from '../../../engine/retention/trim-history.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { settings as platformSettings } from '../../../platform/settings.ts'
import { testApp, type TestApp, type TestUser } from '../../../test-app.ts'
import { broken, does, path, reaches, read, told, workshop } from '../control/control.testing.ts'
import { publish } from '../definitions.testing.ts'

const day_ms = 86_400_000
let ahead_ms = 0
/** Runs, and can be put forward. */
const clock = { now: () => Date.now() + ahead_ms }

const shop = workshop()
/** Over 500 KB, with what JSON and UTF-8 find hard. */
const grain = { text: 'grain \u0000 \ud800 “€” 🌾 '.repeat(36_000).slice(0, 500_000) }
const flour = 'flour '.repeat(350_000)
let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp({ modules: shop.modules, clock })
  anna = await mill.register('anna')
})
afterAll(() => mill.close())
beforeEach(() => {
  shop.begun.length = 0
  shop.work = ({ config, input }) => Promise.resolve({ output: config.name === 'mill' ? flour : JSON.stringify(input).length })
})

const hooked = (nodes: readonly JsonObject[], slug: string) => {
  const all: readonly JsonObject[] = [{ id: 'hook', type: 'trigger.webhook', config: { path: slug } }, ...nodes]
  return { nodes: all, edges: all.slice(1).map(({ id }, index) => ({ from: all[index]?.['id'], to: id })) }
}
const steps = [does('mill'), does('weigh')]
let made = 0
/** Starts an execution by a webhook with a large body; answers its id. */
const run = async (user = anna, on = mill, nodes: readonly JsonObject[] = steps): Promise<string> => {
  const slug = `large-${(made += 1)}`
  await publish(user, hooked(nodes, slug))
  const { body: me } = await user.call('GET', `/api/v1/workspaces/${user.workspace_id}`)
  const { status, body } = await on.call('POST', `/hooks/${me.slug}/${slug}`, { body: grain })
  expect(status).toBe(202)
  return body.execution_id as string
}
const rowsOf = (id: string, on = mill) => on.database.owner<{ seq: number; bytes: number }[]>`
  select seq, octet_length(body::text) as bytes
  from execution_records
  where execution_id = ${id}
  order by seq`
const rootOf = ({ app }: TestApp): string => join(app.settings(platformSettings).data_dir, 'blobs', 'executions')
const folderOf = (id: string): string => join(rootOf(mill), id.slice(0, 6), id)
const filesOf = (id: string): Promise<readonly string[]> => readdir(folderOf(id)).catch(() => [])
const rowOf = async (id: string) => {
  const [row] = await mill.database.owner`select status, error ->> 'code' as code from executions where id = ${id}`
  return row
}

test('what is large lies in files, its rows are small, and it is read whole', async () => {
  const id = await run()
  const execution = await reaches(anna, id, 'succeeded')
  const rows = await rowsOf(id)
  expect(rows.length).toBeGreaterThan(1)
  for (const { bytes } of rows) expect(bytes).toBeLessThan(2_048)
  expect(new Set((await filesOf(id)).map((name) => name.split('-')[0]))).toEqual(new Set(['0', '1']))
  expect(execution.input.body).toEqual(grain)
  expect(execution.steps[0]).toMatchObject({ node_id: 'mill', output: flour, input: { body: grain } })
  expect(execution.steps[1]).toMatchObject({ node_id: 'weigh', output: flour.length + 2, input: flour })
  expect(execution.output).toBe(flour.length + 2)
  const page = await anna.call('GET', `${path}/${id}?from_record=1`)
  expect(page.body.steps.map(({ node_id }: { node_id: string }) => node_id)).toEqual(['mill', 'weigh'])
})

test('a journal of large records is read a few megabytes at a time', async () => {
  const id = await run(anna, mill, [does('mill'), does('weigh'), ...[1, 2, 3].map((n) => ({ ...does('mill'), id: `mill${n}` }))])
  await reaches(anna, id, 'succeeded')
  const records = (await rowsOf(id)).length
  const source = mill.app.asSystem('a test')
  const seen: number[] = []
  let batches = 0
  for (let more = true; more; batches += 1) {
    const next = await recordsOf(source, id, seen.length)
    // What goes beyond four megabytes is one record at most.
    expect(JSON.stringify(next.rows).length).toBeLessThan(7 * 1024 * 1024)
    seen.push(...next.rows.map(({ seq }) => seq))
    more = next.more
  }
  expect(seen).toEqual(Array.from({ length: records }, (_, seq) => seq))
  expect(batches).toBeGreaterThan(1)
})

test('a process that goes on for one that died reads it from the files', async () => {
  const begun = Promise.withResolvers<void>()
  const whole = shop.work
  let tries = 0
  shop.work = async (input, io) => {
    if (input.config.name === 'mill') return whole(input, io)
    tries += 1
    if (tries > 1) return whole(input, io)
    begun.resolve()
    await new Promise((resolve) => io.signal.addEventListener('abort', resolve))
    return { output: 'from the dead' }
  }
  const id = await run()
  await begun.promise
  // As if the heart had stopped: another has taken it over.
  await mill.database.owner`
    update engine_workers
    set state = 'dead', epoch = epoch + 1
    where id = (select worker_id from executions where id = ${id})`
  await mill.database.owner`update executions set worker_id = null, status = 'queued' where id = ${id}`
  expect(await reaches(anna, id, 'succeeded')).toMatchObject({ output: flour.length + 2 })
  expect(shop.begun).toEqual(['mill', 'weigh', 'weigh'])
})

test('an execution of large data that failed is tried again, and forked', async () => {
  const whole = shop.work
  shop.work = (input, io) => (input.config.name === 'weigh' ? broken() : whole(input, io))
  const id = await run()
  await reaches(anna, id, 'failed')
  shop.work = whole
  expect((await anna.call('POST', `${path}/${id}/retry`)).status).toBe(200)
  const retried = await reaches(anna, id, 'succeeded')
  expect(told(retried)).toEqual(['mill#1 succeeded', 'weigh#1 failed', 'weigh#2 succeeded'])
  const forked = await anna.call('POST', `${path}/${id}/fork`, { body: { node_id: 'weigh' } })
  expect(forked.status).toBe(202)
  const again = await reaches(anna, forked.body.id, 'succeeded')
  expect(again).toMatchObject({ output: flour.length + 2, steps: [{ node_id: 'mill', output: flour, copied: true }, { node_id: 'weigh' }] })
  expect(again.input).toEqual(retried.input)
  expect(shop.begun).toEqual(['mill', 'weigh', 'weigh', 'weigh'])
})

test('an execution whose file is gone fails when it is taken up, says so, and goes on once the file is back', async () => {
  const whole = shop.work
  shop.work = (input, io) => (input.config.name === 'weigh' ? broken() : whole(input, io))
  const id = await run()
  await reaches(anna, id, 'failed')
  shop.work = whole
  await rename(folderOf(id), `${folderOf(id)}-away`)
  await mill.database.owner`
    update executions
    set status = 'queued', finished_at = null, error = null
    where id = ${id}`
  // Another that is queued is not held up by it.
  const other = await run()
  await vi.waitFor(async () => expect(await rowOf(id)).toEqual({ status: 'failed', code: 'blobs.missing' }), { timeout: 10_000 })
  await reaches(anna, other, 'succeeded')
  const gone = await anna.call('GET', `${path}/${id}`)
  expect([gone.status, gone.body.code]).toEqual([503, 'blobs.missing'])
  const { body: list } = await anna.call('GET', `${path}?status=failed`)
  expect(list.items).toContainEqual(expect.objectContaining({ id, error: expect.objectContaining({ code: 'blobs.missing' }) }))
  await rename(`${folderOf(id)}-away`, folderOf(id))
  expect((await anna.call('POST', `${path}/${id}/retry`)).status).toBe(200)
  expect(await reaches(anna, id, 'succeeded')).toMatchObject({ output: flour.length + 2 })
})

test('with a database that other servers may use too there are no files, unless a directory is named', async () => {
  const away = await testApp({ modules: shop.modules, env: { DATABASE_URL: 'postgres://millrace@localhost/elsewhere' } })
  try {
    const bob = await away.register('bob')
    const id = await run(bob, away)
    expect(await reaches(bob, id, 'succeeded')).toMatchObject({ input: { body: grain }, output: flour.length + 2 })
    expect((await rowsOf(id, away)).some(({ bytes }) => bytes > flour.length)).toBe(true)
    await expect(readdir(rootOf(away))).rejects.toMatchObject({ code: 'ENOENT' })
  } finally {
    await away.close()
  }
})

test('files go with the workspace', async () => {
  const bob = await mill.register('bob')
  const [his, hers] = [await run(bob), await run()]
  await reaches(bob, his, 'succeeded')
  await reaches(anna, hers, 'succeeded')
  expect(await filesOf(his)).toHaveLength(2)
  expect(await purgeExecutions(mill.app, bob.workspace_id, new AbortController().signal)).toBe(true)
  expect(await filesOf(his)).toEqual([])
  expect(await filesOf(hers)).toHaveLength(2)
})

test('files that nobody refers to are swept, not those of the last day', async () => {
  const [kept, old, young] = [await run(), await run(), await run()]
  for (const id of [kept, old, young]) await reaches(anna, id, 'succeeded')
  const long_ago = new Date(Date.now() - 2 * day_ms)
  for (const id of [kept, old]) await utimes(folderOf(id), long_ago, long_ago)
  await mill.database.owner`delete from executions where id = any(${[old, young]}::uuid[])`
  expect(await sweepBlobs(mill.app.asSystem('a test'))).toBe(1)
  expect(await Promise.all([kept, old, young].map(async (id) => (await filesOf(id)).length))).toEqual([2, 0, 2])
  expect(await read(anna, kept)).toMatchObject({ output: flour.length + 2 })
})

test('files go with the executions whose retention is over', async () => {
  const id = await run()
  await reaches(anna, id, 'succeeded')
  ahead_ms = 200 * day_ms
  const { execution_id } = await mill.app.use(jobs).start({ job: trimHistoryJob, workspace_id: null, input: {} })
  const state = () => jobState(mill.app.asSystem('a test'), trimHistoryJob, execution_id)
  await expect.poll(async () => (await state())?.status, { timeout: 30_000 }).toBe('succeeded')
  expect(await rowOf(id)).toBeUndefined()
  expect(await readdir(rootOf(mill))).toEqual([])
})
