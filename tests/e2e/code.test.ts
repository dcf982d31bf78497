import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sandbox } from '../../server/src/engine/sandbox/sandbox.ts'
import type { Json } from '../../server/src/lib/json.ts'
import { create, manual, publish } from '../../server/src/modules/workflows/definitions.testing.ts'
import { type TestApp, testApp, type TestUser } from '../../server/src/test-app.ts'
import { probing } from './attack.ts'
import { root } from './page.ts'

let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
})
afterAll(() => mill.close())

const code = (source: string, more: object = {}, node: object = {}) => ({
  id: 'code',
  type: 'data.code',
  config: { source, ...more },
  ...node,
})
const after = (...nodes: readonly { readonly id: string }[]) => ({
  nodes: [manual, ...nodes],
  edges: nodes.map(({ id }, index) => ({ from: index === 0 ? manual.id : (nodes[index - 1] as { id: string }).id, to: id })),
})
const run = async (definition: object, input: Json = {}) => {
  const id = await publish(anna, definition)
  const { status, body } = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input, wait_ms: 20_000 } })
  expect(status).toBe(200)
  return body
}

test('a server that runs no code has no thread for it', () => {
  expect(mill.app.use(sandbox).state()).toEqual({ threads: 0, running: 0, waiting: 0 })
})

test('a step of code makes its output of its input', async () => {
  const source = 'export default ({ items }) => ({ total: items.reduce((sum, { price }) => sum + price, 0), text: "{{ stays }}" })'
  expect(await run(after(code(source)), { items: [{ price: 2 }, { price: 3.5 }] })).toMatchObject({
    status: 'succeeded',
    output: { total: 5.5, text: '{{ stays }}' },
  })
})

test('its second argument is what expressions may name', async () => {
  const set = { id: 'before', type: 'data.set', config: { values: { b: '{{ trigger.a + 1 }}' } } }
  const source = `export default (input, { trigger, steps, execution, workspace, vars }) =>
    [input, trigger, steps.before.output.b, execution.mode, execution.started_at === new Date().toISOString(), workspace.id, vars]`
  expect(await run(after(set, code(source)), { a: 1 })).toMatchObject({
    status: 'succeeded',
    output: [{ b: 2 }, { a: 1 }, 2, expect.any(String), true, anna.workspace_id, {}],
  })
})

test('what a program throws fails its step alone, with the place in its source', async () => {
  const throwing = code('export default (input) => {\n  console.log("so far")\n  return input.a.b\n}', {}, { on_error: 'continue' })
  const { status, output } = await run(after(throwing))
  expect({ status, output }).toEqual({
    status: 'succeeded',
    output: { error: { code: 'code.failed', message: expect.stringMatching(/^TypeError: .* \(line 3, column \d+\)$/) } },
  })
  const failed = await run(after(code('export default () => {\n  console.log("so far")\n  null.x\n}')))
  expect(failed).toMatchObject({
    status: 'failed',
    error: { code: 'code.failed', node_id: 'code', details: { name: 'TypeError', line: 3, logs: ['so far'] } },
  })
})

test.each([
  ['code.timeout', 'export default () => { while (true) {} }', { timeout_ms: 100 }],
  ['code.memory', 'export default () => "x".repeat(1e8)', { memory_mb: 4 }],
  ['code.output_too_large', 'export default () => "x".repeat(2e6)', {}],
  ['code.output_invalid', 'export default () => ({ n: NaN })', {}],
])('a program that is no good ends with %s', async (expected, source, limits) => {
  expect(await run(after(code(source, limits)))).toMatchObject({ status: 'failed', error: { code: expected, node_id: 'code' } })
})

test('texts that a database cannot take as they are come back whole, as output and as errors', async () => {
  expect(await run(after(code('export default () => ["a\\0b", "\\ud800", "\\u2028"]')))).toMatchObject({
    output: ['a\0b', '\ud800', '\u2028'],
  })
  const { status, error } = await run(after(code('export default () => { console.log("a\\0b\\udfff"); throw new Error("c\\0d\\ud800") }')))
  expect(status).toBe('failed')
  expect(error).toMatchObject({ code: 'code.failed', message: expect.stringMatching(/^Error: c\0d\ud800 /) })
})

test('a step of code that is run again finds the same time and the same chance, and nothing of the run before', async () => {
  const source = 'let runs = 0\nexport default () => { throw new Error([(runs += 1), Math.random(), Date.now()].join()) }'
  const again = { retry: { max_attempts: 3, delay_ms: 1, retry_if: 'true' }, on_error: 'continue' }
  const one = { ...code(source, {}, again), id: 'one' }
  const two = { ...one, id: 'two' }
  const { id } = await run(after(one, two))
  const { body } = await anna.call('GET', `/api/v1/workflows/executions/${id}`)
  const told = (node_id: string): readonly string[] =>
    body.steps
      .filter((step: { node_id: string }) => step.node_id === node_id)
      .map(({ error }: { error: { message: string } }) => error.message)
  expect(told('one')).toHaveLength(3)
  expect(new Set(told('one')).size).toBe(1)
  expect(told('one')[0]).toMatch(/^Error: 1,0\.\d+,\d+ /)
  expect(told('two')[0]).not.toBe(told('one')[0])
})

test('in a loop each turn has its item, its place and chances of its own; a mistake in the body has its place too', async () => {
  const loop = (source: string) => ({
    id: 'loop',
    type: 'flow.loop',
    config: { items: '{{ trigger.list }}', body: { nodes: [code(source)], edges: [] } },
  })
  const source = 'export default (input, { item, index }) => ({ item, index, chance: Math.random() })'
  const seen = { id: 'seen', type: 'data.set', config: { values: { items: '{{ steps.loop.output.items }}' } } }
  const { output } = await run(after(loop(source), seen), { list: ['a', 'b'] })
  expect(output.items).toMatchObject([
    { item: 'a', index: 0 },
    { item: 'b', index: 1 },
  ])
  expect(output.items[0].chance).not.toBe(output.items[1].chance)
  const { id } = await create(anna, after(loop('export default (')))
  const { body } = await anna.call('POST', `/api/v1/workflows/${id}/check`)
  expect(body.problems).toMatchObject([
    { path: '/nodes/1/config/body/nodes/0/config/source', message: expect.stringContaining('(line 1, column') },
  ])
})

test('a mistake of syntax is found before it is published, with its place', async () => {
  const { id } = await create(anna, after(code('export default (input) =>\n  input b')))
  const { body } = await anna.call('POST', `/api/v1/workflows/${id}/check`)
  expect(body.problems).toEqual([
    { node_id: 'code', path: '/nodes/1/config/source', severity: 'error', message: expect.stringMatching(/\(line 2, column \d+\)$/) },
  ])
  const { id: other } = await create(anna, after(code('return $json.name')))
  expect((await anna.call('POST', `/api/v1/workflows/${other}/check`)).body.problems).toMatchObject([
    { severity: 'error', message: 'return not in a function (line 1, column 1); it begins with `export default (input) =>`' },
  ])
  const { id: third } = await create(anna, after(code('const f = (input) => input')))
  expect((await anna.call('POST', `/api/v1/workflows/${third}/check`)).body.problems).toMatchObject([{ severity: 'warning' }])
  const refused = await anna.call('POST', `/api/v1/workflows/${id}/publish`, { body: {} })
  expect({ status: refused.status, code: refused.body.code }).toEqual({ status: 422, code: 'workflows.not_publishable' })
})

test('a cancelled execution ends the program that it waits for', async () => {
  const id = await publish(anna, after(code('export default () => { while (true) {} }', { timeout_ms: 60_000 })))
  const started = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: {} } })
  const path = `/api/v1/workflows/executions/${started.body.id}`
  const threads = mill.app.use(sandbox)
  await expect.poll(() => threads.state().running).toBe(1)
  expect((await anna.call('POST', `${path}/cancel`)).status).toBe(200)
  await expect.poll(async () => (await anna.call('GET', path)).body.status).toBe('cancelled')
  await expect.poll(() => threads.state().running).toBe(0)
})

const page = readFileSync(join(root, 'docs/how-to/run-code.md'), 'utf8')
/** The cells of the rows below a head, without their backticks. */
const rowsOf = (head: string): readonly (readonly string[])[] => {
  const [, table = ''] = page.split(`| ${head} |\n`)
  const lines = table.split('\n\n')[0]?.split('\n').slice(1) ?? []
  return lines.map((line) =>
    line
      .slice(2, -2)
      .split(' | ')
      .map((cell) => cell.replace(/^`(.*)`$/, '$1')),
  )
}

test('every program of the page gives the output that stands beside it', async () => {
  const rows = rowsOf('Program | Input | Output')
  expect(rows.length).toBeGreaterThan(7)
  for (const [source = '', input = '', output = ''] of rows) {
    expect(await run(after(code(source)), JSON.parse(input)), source).toMatchObject({ status: 'succeeded', output: JSON.parse(output) })
  }
})

test('every failure of the page is told as it says', async () => {
  const rows = rowsOf('Program | Code | Message')
  expect(rows.length).toBeGreaterThan(7)
  for (const [source = '', expected, message] of rows) {
    expect((await run(after(code(source)))).error, source).toMatchObject({ code: expected, message })
  }
})

/** As long as others are answered in this time, nobody is hurt. Generous, because the machine may be busy with other tests. */
const bearable_ms = 250

test('while programs without end run in every thread, everybody else is served', async () => {
  const forever = [
    'while (true) {}',
    'export default () => { const f = () => Promise.resolve().then(f); return f() }',
    'export default () => /^(a+)+$/.test("a".repeat(50) + "!")',
    'export default () => { const a = []; for (;;) a.push("x".repeat(1e5) + a.length) }',
    'export default () => new Array(2 ** 31).join("x")',
  ]
  const ids = await Promise.all(forever.map((source) => publish(anna, after(code(source, { timeout_ms: 500, memory_mb: 256 })))))
  const { p99, most, probes } = await probing(mill, async () => {
    const replies = await Promise.all(
      [...ids, ...ids].map((id) => anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: {}, wait_ms: 20_000 } })),
    )
    for (const { body } of replies)
      expect(body).toMatchObject({ status: 'failed', error: { code: expect.stringMatching(/^code\.(timeout|memory)$/) } })
  })
  expect(probes).toBeGreaterThan(10)
  expect({ p99, most }).toEqual({
    p99: expect.toSatisfy((ms: number) => ms < bearable_ms),
    most: expect.toSatisfy((ms: number) => ms < 3 * bearable_ms),
  })
  const threads = mill.app.use(sandbox)
  await expect.poll(() => threads.state().running).toBe(0)
  expect(threads.state().threads).toBeLessThanOrEqual(4)
})
