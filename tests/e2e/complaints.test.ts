import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { manual, publish } from '../../server/src/modules/workflows/definitions.testing.ts'
import { type TestApp, testApp, type TestUser } from '../../server/src/test-app.ts'

// What users of other workflow tools complain about most, as far as no other test shows it: docs/explanation/complaints.md.

/** Holds every call until the test answers it. */
const held: { readonly path: string; readonly answer: () => void }[] = []
const outside = createServer((request, response: ServerResponse) => {
  request.resume()
  held.push({ path: request.url ?? '', answer: () => void response.setHeader('content-type', 'application/json').end('{"heard":true}') })
})
let url: string
let mill: TestApp
let user: TestUser

beforeAll(async () => {
  outside.listen(0, '127.0.0.1')
  await once(outside, 'listening')
  url = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  user = await mill.register('mind')
})
afterAll(async () => {
  await mill.close()
  outside.closeAllConnections()
  outside.close()
})
beforeEach(() => void held.splice(0))

const hook = (path: string, more: object = {}) => ({ id: 'hook', type: 'trigger.webhook', config: { path, respond: 'last_node', ...more } })
const set = (id: string, values: object) => ({ id, type: 'data.set', config: { values } })
const request = (id: string) => ({ id, type: 'http.request', config: { method: 'POST', url: `${url}/${id}` } })
const chain = (...nodes: readonly { readonly id: string }[]) => ({
  nodes,
  edges: nodes.slice(1).map(({ id }, index) => ({ from: nodes[index]?.id, to: id })),
})
const execute = async (workflow_id: string, input: unknown, wait_ms?: number) => {
  const { status, body } = await user.call('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { input, wait_ms } })
  expect([200, 202]).toContain(status)
  return body
}

const mib = 1024 * 1024

/** What the objects of this process take, after all that is left of earlier work was collected. */
const heapMib = (): number => {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed / mib
}

test('executions that wait are in no memory, however much they hold', async () => {
  const id = await publish(user, chain(manual, { id: 'wait', type: 'flow.wait', config: { webhook: true } } as { id: string }))
  const before = heapMib()
  const grain = 'x'.repeat(500_000)
  for (let n = 0; n < 100; n += 1) await execute(id, { n, grain: `${n} ${grain}` })
  const asleep = async (): Promise<unknown> => {
    const [row] = await mill.database.owner`
      select count(*)::int as n from executions where workflow_id = ${id} and status = 'waiting' and worker_id is null`
    return row?.['n']
  }
  await expect.poll(asleep, { timeout: 20_000 }).toBe(100)
  // 50 MB of payloads.
  expect(heapMib() - before).toBeLessThan(20)
})

test('a loop with a wait in its body keeps of its items what they give, and nothing else', { timeout: 60_000 }, async () => {
  const body = chain(
    set('large', { grain: '{{ "x".padEnd(200000, string(index)) }}' }),
    { id: 'wait', type: 'flow.wait', config: { for_ms: 1 } } as { id: string },
    set('small', { index: '{{ index }}', size: '{{ steps.large.output.grain.size() }}' }),
  )
  const each = { id: 'each', type: 'flow.loop', config: { items: '{{ range(200) }}', parallel: 10, body } }
  const id = await publish(user, chain(manual, each))
  const before = heapMib()
  let most = 0
  let running = true
  const watch = (async () => {
    while (running) {
      most = Math.max(most, heapMib() - before)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })()
  await execute(id, {})
  const ended = async (): Promise<unknown> => {
    const [row] = await mill.database.owner`select status from executions where workflow_id = ${id}`
    return row?.['status']
  }
  await expect.poll(ended, { timeout: 50_000 }).toBe('succeeded')
  running = false
  await watch
  // Forty megabytes went through it.
  expect(most).toBeLessThan(20)
})

test('a webhook is answered when there is nothing to go through', async () => {
  const body = chain(set('line', { id: '{{ item.id }}' }))
  const loop = { id: 'each', type: 'flow.loop', config: { items: '{{ trigger.body.items }}', body } }
  const none = { id: 'some', type: 'data.filter', config: { items: '{{ trigger.body.items }}', condition: 'item.id > 0' } }
  await publish(user, chain(hook('none'), none, loop, set('answer', { lines: '{{ steps.each.output.items }}' })))
  expect(await mill.call('POST', '/hooks/mind/none', { body: { items: [] } })).toMatchObject({ status: 200, body: { lines: [] } })
  const respond = { id: 'respond', type: 'http.respond', config: { body: { n: '{{ steps.some.output.size() }}' } } }
  await publish(user, chain(hook('none/said', { respond: 'respond_node' }), none, respond))
  expect(await mill.call('POST', '/hooks/mind/none/said', { body: { items: [] } })).toMatchObject({ status: 200, body: { n: 0 } })
})

test('the branches of a workflow are under way at the same time', async () => {
  const id = await publish(user, {
    nodes: [manual, request('left'), request('right'), { id: 'both', type: 'flow.merge' }, set('done', { ok: true })],
    edges: [
      { from: 'start', to: 'left' },
      { from: 'start', to: 'right' },
      { from: 'left', to: 'both' },
      { from: 'right', to: 'both' },
      { from: 'both', to: 'done' },
    ],
  })
  const running = execute(id, {}, 20_000)
  // Neither has been answered, and both have come.
  await expect.poll(() => held.map(({ path }) => path).toSorted(), { timeout: 10_000 }).toEqual(['/left', '/right'])
  for (const { answer } of held) answer()
  expect(await running).toMatchObject({ status: 'succeeded', output: { ok: true } })
})

/** The ways out of expression sandboxes that were published for tools whose expressions are JavaScript. */
const escapes = [
  "(function(){ return this.process.mainModule.require('child_process').execSync('id').toString() })()",
  'this.constructor.constructor("return process")()',
  '[].constructor.constructor("return process.env")()',
  '"".sub.constructor("return globalThis")()',
  '[]["constructor"]["constructor"]("return process")()',
  'trigger["const" + "ructor"]["const" + "ructor"]("return 1")()',
  'trigger[["constructor"]]',
  'trigger.__proto__.constructor',
  'trigger.__lookupGetter__("__proto__")',
  '(() => { with (this) { return constructor } })()',
  '((x = this) => x)()',
  '`${process.env}`',
  'Function("return process")()',
  'new Function("return process")()',
  'eval("process")',
  'globalThis.process.exit(1)',
  'require("fs").readFileSync("/etc/passwd")',
  'import("node:fs")',
  'Object.getPrototypeOf(trigger)',
  'Object.defineProperty(trigger, "a", { get: () => process })',
  'Reflect.construct(Function, ["return process"])()',
  'Error.prepareStackTrace = (e, s) => s[0].getThis()',
  'trigger.constructor',
  '[1].map.constructor("return process")()',
  '[1].map(x, x.constructor)',
  'steps.constructor.constructor("return process")()',
  'vars.__proto__.polluted',
  'execution.constructor',
  'workspace["__proto__"]',
  '({ "__proto__": { "polluted": 1 } }).polluted',
  '$json.constructor.constructor("return process")()',
  '{{ process }}',
  '}} {{ constructor }} {{',
  'import.meta.url',
  'async () => await process',
  'function* () { yield process }',
  'process?.env',
  'console.log.constructor("return process")()',
  'JSON.constructor.constructor("return process")()',
  'string.constructor("return process")()',
]

test('nothing that was ever a way out of an expression is one here: it is refused, or finds nothing', async () => {
  const found: unknown[] = []
  for (const [index, escape] of escapes.entries()) {
    const definition = chain(manual, { id: 'out', type: 'data.set', config: { values: { v: `{{ ${escape} }}` } } } as { id: string })
    const made = await user.call('POST', '/api/v1/workflows', { body: { name: `escape ${index}`, definition } })
    if (made.status === 422) continue
    const published = await user.call('POST', `/api/v1/workflows/${made.body.id}/publish`)
    if (published.status === 422) continue
    const { status, error, output } = await execute(made.body.id, { n: 1 }, 10_000)
    if (status !== 'failed' || !String(error.code).startsWith('expression.')) found.push([escape, status, output])
  }
  expect(found).toEqual([])
  expect([Reflect.get({}, 'polluted'), process.exitCode]).toEqual([undefined, undefined])
})
