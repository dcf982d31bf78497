import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test, vi } from 'vitest'
import { create, manual, publish, requestDefinition, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { testApp, type TestReply } from '../../server/src/test-app.ts'
import { each, expectNoFault, expectProblem, probing } from './attack.ts'

const redirecting: Server = createServer((request, response) => {
  response.writeHead(307, { location: decodeURIComponent((request.url ?? '').slice(1)) }).end()
})
await new Promise<void>((resolve) => redirecting.listen(0, '127.0.0.1', resolve))
const outside = `127.0.0.1:${(redirecting.address() as AddressInfo).port}`

const mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: outside, MILLRACE_HOOK_WAIT_MS: '10000' } })
afterAll(async () => {
  await mill.close()
  redirecting.close()
})
const ada = await mill.register('ada')

const set = (id: string, values: object = {}) => ({ id, type: 'data.set', config: { values } })
const edge = (from: string, to: string, port?: string) => ({ from, to, ...(port === undefined ? {} : { port }) })
const chained = (ids: readonly string[]) => ids.map((id, index) => edge(index === 0 ? 'start' : (ids[index - 1] as string), id))
const many = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `n${index}`)

const run = async (id: string, input: unknown = {}): Promise<TestReply['body']> => {
  const reply = await ada.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input, wait_ms: 20_000 } })
  expect(reply.status).toBe(200)
  return reply.body
}

/** As long as others are answered in this time, nobody is hurt. Generous, because the machine may be busy with other tests. */
const bearable_ms = 250

test('a definition as large as there may be is stored, checked, published and run while others are served', async () => {
  const ids = many(9_999)
  const definition = { nodes: [manual, ...ids.map((id, index) => set(id, { a: `{{ trigger.n + ${index} }}` }))], edges: chained(ids) }
  const { p99, most, probes } = await probing(mill, async () => {
    const id = await publish(ada, definition)
    expect(await ada.call('POST', `/api/v1/workflows/${id}/check`)).toMatchObject({ status: 200, body: { problems: [] } })
    expect(await run(id, { n: 1 })).toMatchObject({ status: 'succeeded', output: { a: 9_999 } })
  })
  expect(probes).toBeGreaterThan(10)
  expect({ p99, most }).toEqual({
    p99: expect.toSatisfy((ms: number) => ms < bearable_ms),
    most: expect.toSatisfy((ms: number) => ms < 3 * bearable_ms),
  })
})

test('a definition that makes no sense is refused with its problems, however it is made', async () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '', ' ', 'a b', '0', 'é', 'x'.repeat(65)]
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })
  const ids = many(4_000)
  const failing = ids.map((id) => ({ id, type: 'http.request', on_error: 'error', config: { method: 'GET', url: 'https://mill.example' } }))
  const definitions: readonly (readonly [string, unknown])[] = [
    ['nothing', {}],
    ['no lists', { nodes: {}, edges: null }],
    ['nulls', { nodes: [null, null], edges: [null] }],
    ...names.map((id) => [`the id ${JSON.stringify(id.slice(0, 20))}`, { nodes: [manual, set(id)], edges: [edge('start', id)] }] as const),
    ['an id of an object', { nodes: [{ id: {}, type: [] }], edges: [] }],
    ['types of prototypes', { nodes: names.map((type, index) => ({ id: `n${index}`, type })), edges: [] }],
    [
      'a circle through error ports',
      {
        nodes: [manual, ...failing],
        edges: [edge('start', 'n0'), ...ids.map((id, index) => edge(id, ids[(index + 1) % ids.length] as string, 'error'))],
      },
    ],
    [
      'edges that lead nowhere',
      { nodes: [manual, ...ids.map((id) => set(`node_${id}`))], edges: ids.map((id) => edge(`nude_${id}`, `nide_${id}`)) },
    ],
    ['ports of prototypes', { nodes: [manual, set('a'), set('b')], edges: [edge('start', 'a'), edge('a', 'b', '__proto__')] }],
    ['a config 60 levels deep', { nodes: [manual, set('a', { v: '{{ nope }}', deep: deep(50) })], edges: [edge('start', 'a')] }],
    ['an expression of 1 MB', { nodes: [manual, set('a', { v: `{{ ${'1+'.repeat(500_000)}1 }}` })], edges: [edge('start', 'a')] }],
    [
      'an expression of brackets',
      { nodes: [manual, set('a', { v: `{{ ${'('.repeat(4_900)}1${')'.repeat(4_900)} }}` })], edges: [edge('start', 'a')] },
    ],
    [
      'expressions that reach for JavaScript',
      { nodes: [manual, set('a', { v: '{{ trigger.constructor.constructor("return process")() }}' })], edges: [edge('start', 'a')] },
    ],
    [
      'a process',
      {
        nodes: [manual, set('a', { v: '{{ process.env }}', w: '{{ globalThis }}', x: '{{ require("fs") }}' })],
        edges: [edge('start', 'a')],
      },
    ],
    ['__proto__ in a path', { nodes: [manual, set('a', { v: '{{ trigger.__proto__ }}' })], edges: [edge('start', 'a')] }],
    [
      'a regular expression that explodes',
      { nodes: [manual, set('a', { v: '{{ "a".matches("(") && nope }}' })], edges: [edge('start', 'a')] },
    ],
    ['ten thousand of one name', { nodes: Array.from({ length: 10_000 }, () => set('same')), edges: [] }],
    [
      'thousands of webhooks',
      {
        nodes: many(9_000).map((id) => ({ id, type: 'trigger.webhook', config: { path: id, methods: ['GET', 'PUT', 'POST'] } })),
        edges: [],
      },
    ],
    ['too many nodes', { nodes: Array.from({ length: 10_001 }, (_, index) => set(`n${index}`)), edges: [] }],
  ]
  const { p99 } = await probing(mill, () =>
    each(
      definitions,
      async ([what, definition]) => {
        const made = await ada.call('POST', '/api/v1/workflows', { body: { name: what, definition } })
        if (made.status !== 201) return expectProblem(made, what)
        const { id } = made.body
        const checked = await ada.call('POST', `/api/v1/workflows/${id}/check`)
        expect([what, checked.status]).toEqual([what, 200])
        expect([what, checked.body.problems.some(({ severity }: { severity: string }) => severity === 'error')]).toEqual([what, true])
        const published = await ada.call('POST', `/api/v1/workflows/${id}/publish`)
        expectProblem(published, `${what}, published`)
        expect([what, published.status]).toEqual([what, 422])
      },
      2,
    ),
  )
  expect(p99).toBeLessThan(bearable_ms)
})

test('a list of workflows stays short, whatever their drafts hold', async () => {
  const user = await mill.register('lists')
  const drafts = [
    { nodes: many(9_000).map((id) => ({ id, type: 'trigger.webhook', config: { path: id } })), edges: [] },
    { nodes: [{ id: 'a', type: 'trigger.webhook', config: { path: 'x'.repeat(1_900_000) } }], edges: [] },
  ]
  for (const draft of drafts) await create(user, draft)
  const list = await user.call('GET', '/api/v1/workflows')
  expect([list.body.items.length, JSON.stringify(list.body).length < 200_000]).toEqual([2, true])
})

test('a payload of any kind reaches a workflow as data, and nothing behind it', async () => {
  const reach = {
    proto: '{{ trigger.body.?constructor.orValue("none") }}',
    keys: '{{ keys(trigger).size() }}',
    header: '{{ trigger.headers.?__proto.orValue("none") }}',
    name: '{{ trigger.?body.?name.orValue("none") }}',
  }
  await publish(ada, webhookDefinition('any', {}, reach))
  const post = (body: string | Buffer, type = 'application/json', query = '') =>
    mill.call('POST', `/hooks/ada/any${query}`, { body, headers: { 'content-type': type } })
  for (const body of [
    '{"__proto__":{"name":"p"}}',
    '{"constructor":{"prototype":{"name":"p"}}}',
    '{"toString":"x","hasOwnProperty":1}',
    '[]',
    '""',
    'null',
    '7',
    '"\\u0000\\ud800"',
    '{"a\\u0000":"\\u0000"}',
    `${'['.repeat(64)}${']'.repeat(64)}`,
  ]) {
    const reply = await post(body)
    expect([body.slice(0, 40), reply.status]).toEqual([body.slice(0, 40), 200])
    expect([body.slice(0, 40), reply.body.name, reply.body.keys]).toEqual([body.slice(0, 40), 'none', 6])
  }
  for (const body of [`${'['.repeat(65)}${']'.repeat(65)}`, '{"n":1e400}', '{', '\u0000', `${'{"a":'.repeat(100_000)}1`]) {
    const reply = await post(body)
    expectProblem(reply, body.slice(0, 40))
    expect([body.slice(0, 40), reply.status]).toEqual([body.slice(0, 40), 400])
  }
  expect(Reflect.get({}, 'name')).toBeUndefined()
  for (const query of ['?__proto__=1&constructor=2', '?a=%00&b=%ff&c=%', `?${'a=1&'.repeat(3_000)}`, '?=&&='])
    expect([query.slice(0, 20), (await post('{}', undefined, query)).status]).toEqual([query.slice(0, 20), 200])
  for (const type of [
    'application/octet-stream',
    'image/png',
    'multipart/form-data; boundary=x',
    'text/plain; charset=klingon',
    '/',
    `text/${'x'.repeat(8_000)}; ${'a=b;'.repeat(500)}`,
  ]) {
    expectNoFault(await post(Buffer.from([0, 255, 1]), type), type.slice(0, 60))
  }
})

test('a form of ten thousand fields of one name is taken, and one of three hundred thousand refused; neither holds anybody up', async () => {
  await publish(ada, webhookDefinition('form', {}, { size: '{{ trigger.body.a.size() }}' }))
  const { most } = await probing(mill, async () => {
    for (const [fields, answer] of [
      [10_000, [200, 10_000]],
      [330_000, [413, 'http.body_too_large']],
    ] as const) {
      const body = Array.from({ length: fields }, () => 'a=').join('&')
      const reply = await mill.call('POST', '/hooks/ada/form', { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
      expect([reply.status, reply.body.size ?? reply.body.code]).toEqual(answer)
    }
  })
  expect(most).toBeLessThan(3_000)
})

test('a dozen large payloads at once let others through in between', async () => {
  await publish(ada, webhookDefinition('large'))
  const body = JSON.stringify(Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`key${index}`, { a: [index] }])))
  const { most, probes } = await probing(mill, () =>
    each(
      Array.from({ length: 12 }),
      async () =>
        expect((await mill.call('POST', '/hooks/ada/large', { body, headers: { 'content-type': 'application/json' } })).status).toBe(200),
      12,
    ),
  )
  expect(probes).toBeGreaterThan(12)
  expect(most).toBeLessThan(1_500)
})

/** About as much as one node may do. */
const heavy = '{{ range(90000).map(i, i * 2).filter(i, i > 5).size() }}'

test('a workflow of many heavy steps lets others through in between', async () => {
  const ids = many(80)
  const id = await publish(ada, { nodes: [manual, ...ids.map((one) => set(one, { v: heavy }))], edges: chained(ids) })
  const { p99, probes } = await probing(mill, async () => expect((await run(id)).status).toBe('succeeded'))
  expect(probes).toBeGreaterThan(50)
  expect(p99).toBeLessThan(bearable_ms)
})

test('an execution that fills the memory is ended, and the server goes on', async () => {
  const ids = many(2_000)
  const id = await publish(ada, {
    nodes: [manual, ...ids.map((one) => set(one, { v: `{{ "${one}".padStart(1000000, "é") }}` }))],
    edges: chained(ids),
  })
  const rss = process.memoryUsage().rss
  const execution = await run(id)
  expect([execution.status, execution.error]).toMatchObject(['failed', { code: 'engine.execution_too_large' }])
  expect(process.memoryUsage().rss - rss).toBeLessThan(1_500_000_000)
  expect(await ada.call('GET', `/api/v1/workflows/executions/${execution.id}`)).toMatchObject({ status: 200, body: { status: 'failed' } })
})

test('branches that are merged over and over are ended before they fill the memory', async () => {
  const pass = (id: string) => ({ ...set(id), disabled: true })
  const layers = Array.from({ length: 40 }, (_, index) => index)
  const nodes = layers.flatMap((n) => [pass(`a${n}`), pass(`b${n}`), { id: `m${n}`, type: 'flow.merge' }])
  const edges = layers.flatMap((n) => {
    const from = n === 0 ? 'start' : `m${n - 1}`
    return [edge(from, `a${n}`), edge(from, `b${n}`), edge(`a${n}`, `m${n}`), edge(`b${n}`, `m${n}`)]
  })
  const id = await publish(ada, { nodes: [manual, ...nodes], edges })
  const { most } = await probing(mill, async () => {
    const execution = await run(id, { grain: 'x'.repeat(10_000) })
    expect([execution.status, execution.error.code]).toEqual(['failed', 'engine.execution_too_large'])
    expect((await ada.call('GET', `/api/v1/workflows/executions/${execution.id}?payloads=true`)).status).toBe(200)
  })
  expect(most).toBeLessThan(1_500)
})

test('the steps of an execution are shown without what they ran on, where that would be too much for a reply', async () => {
  const ids = many(900)
  await publish(ada, {
    nodes: [{ id: 'hook', type: 'trigger.webhook', config: { path: 'wide', respond: 'last_node' } }, ...ids.map((id) => set(id, { v: 1 }))],
    edges: ids.map((id) => edge('hook', id)),
  })
  const reply = await mill.call('POST', '/hooks/ada/wide', { body: { grain: 'x'.repeat(1_000_000) } })
  expect(reply.status).toBe(200)
  const shown = await ada.call('GET', `/api/v1/workflows/executions/${reply.headers.get('x-millrace-execution-id')}?payloads=true`)
  expect([shown.status, shown.body.steps.length]).toEqual([200, 900])
  const withInput = shown.body.steps.filter((step: object) => 'input' in step)
  expect(withInput.length).toBeGreaterThan(5)
  expect(withInput.length).toBeLessThan(20)
})

test('a request that is led to an address inside is refused, whatever it is called', async () => {
  const own = new URL(mill.url).port
  const targets = [
    `http://127.0.0.1:${own}/healthz`,
    `http://localhost:${own}/healthz`,
    `http://[::1]:${own}/`,
    `http://0x7f000001:${own}/`,
    `http://2130706433:${own}/`,
    `http://127.1:${own}/`,
    `http://0:${own}/`,
    `http://[::ffff:127.0.0.1]:${own}/`,
    'http://169.254.169.254/latest/meta-data/',
    'http://10.0.0.1/',
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    `http://user:pass@${outside}/`,
  ]
  await publish(
    ada,
    requestDefinition(
      { id: 'hook', type: 'trigger.webhook', config: { path: 'led', respond: 'last_node' } },
      `http://${outside}/{{ url.encode(trigger.body.to) }}`,
    ),
  )
  await publish(
    ada,
    requestDefinition({ id: 'hook', type: 'trigger.webhook', config: { path: 'sent', respond: 'last_node' } }, '{{ trigger.body.to }}'),
  )
  await each(
    targets.flatMap((to) => ['led', 'sent'].map((path) => ({ to, path }))),
    async ({ to, path }) => {
      const reply = await mill.call('POST', `/hooks/ada/${path}`, { body: { to } })
      expect([to, path, reply.status, reply.body.code]).toEqual([to, path, 500, 'workflows.execution_failed'])
      expect(JSON.stringify(reply.body)).not.toContain('127.0.0.1:' + own + '/healthz')
      const execution = await ada.call('GET', `/api/v1/workflows/executions/${reply.body.execution_id}?payloads=true`)
      expect([to, path, execution.body.error.code]).toEqual([to, path, expect.stringMatching(/^outbound\.(refused_address|bad_url)$/)])
    },
  )
})

test('webhooks that call each other in a circle come to an end', async () => {
  const inside = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  try {
    const owner = await inside.register('owner')
    const calls = [1, 2].map((n) => ({
      id: `call${n}`,
      type: 'http.request',
      config: { method: 'POST', url: `${inside.url}/hooks/owner/circle`, headers: { 'Millrace-Hops': '0' } },
    }))
    await publish(owner, {
      nodes: [{ id: 'hook', type: 'trigger.webhook', config: { path: 'circle', respond: 'immediate' } }, ...calls],
      edges: calls.map(({ id }) => edge('hook', id)),
    })
    expect((await inside.call('POST', '/hooks/owner/circle')).status).toBe(202)
    const ended = async (): Promise<readonly number[]> => {
      const [row] = await inside.database.owner`select count(*)::int as n, count(finished_at)::int as ended from executions`
      return [row?.['n'], row?.['ended']]
    }
    // Each calls two: 1 + 2 + 4 + … over ten calls in a row.
    await expect.poll(ended, { timeout: 20_000 }).toEqual([1_023, 1_023])
    const refused = await inside.call('POST', '/hooks/owner/circle', { headers: { 'millrace-hops': '10' } })
    expect([refused.status, refused.body.code]).toEqual([409, 'workflows.hook_loop'])
  } finally {
    await inside.close()
  }
})

test('thousands of executions that fail at once are all told so, and all kept', async () => {
  // Of its own each time it is tried.
  const path = `fails-${Date.now()}`
  const id = await publish(ada, webhookDefinition(path, {}, { v: '{{ trigger.body.missing.field }}' }))
  const { p99 } = await probing(mill, () =>
    each(
      Array.from({ length: 2_000 }),
      async () => {
        const reply = await mill.call('POST', `/hooks/ada/${path}`, { body: {} })
        expect([reply.status, reply.body.code]).toEqual([500, 'workflows.execution_failed'])
      },
      64,
    ),
  )
  expect(p99).toBeLessThan(bearable_ms)
  const [row] = await mill.database.owner`select count(*)::int as n from executions where workflow_id = ${id} and status = 'failed'`
  expect(row?.['n']).toBe(2_000)
  const events = await mill.database
    .owner`select count(*)::int as n from events where name = 'workflows.execution.failed' and data ->> 'workflow_id' = ${id}`
  expect(events[0]?.['n']).toBe(2_000)
})

test('a webhook answers with no header that has power over the whole origin', async () => {
  const headers = {
    'Set-Cookie': 'millrace_refresh=x; Path=/',
    'Content-Type': 'text/html',
    'Content-Length': '1',
    'Transfer-Encoding': 'chunked',
    'X-A': 'a\r\nSet-Cookie: b=c',
    'X\r\nY': 'z',
    Location: 'javascript:alert(1)',
    'Clear-Site-Data': '"*"',
    'Access-Control-Allow-Origin': '*',
  }
  await publish(ada, {
    nodes: [
      { id: 'hook', type: 'trigger.webhook', config: { path: 'heads', respond: 'respond_node' } },
      {
        id: 'respond',
        type: 'http.respond',
        config: {
          status: '{{ trigger.body.status }}',
          headers: '{{ trigger.body.headers }}',
          body: '<script>alert(document.domain)</script>',
        },
      },
    ],
    edges: [edge('hook', 'respond')],
  }).catch(() => null)
  const drafts = await create(ada, { nodes: [], edges: [] })
  expect(drafts.status).toBe('draft')
  for (const status of [200, 99, 101, 304, 600, 'x', -1, 1e300]) {
    const reply = await mill.call('POST', '/hooks/ada/heads', { body: { status, headers } })
    expect(reply.status).toBeLessThan(600)
    expect([status, reply.headers.get('set-cookie'), reply.headers.get('clear-site-data')]).toEqual([status, null, null])
    if (reply.status === 200) expect(reply.headers.get('content-security-policy')).toMatch(/^sandbox/)
  }
  await vi.waitFor(async () => expect((await mill.call('GET', '/readyz')).status).toBe(200))
})
