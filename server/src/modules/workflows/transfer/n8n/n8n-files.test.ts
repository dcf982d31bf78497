import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scenario } from '../../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../../test-app.ts'

const folder = join(import.meta.dirname, 'testing')

let mill: TestApp
let anna: TestUser
let api: string
let close: () => Promise<void>

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const users = [
  { name: 'Ann', age: 40, team: 'b', email: 'ann@example.org' },
  { name: 'Kid', age: 9, team: 'a', email: 'kid@example.org' },
  { name: 'Bob', age: 20, team: 'a', email: 'bob@example.org' },
  { name: 'Cid', age: 30, team: 'a', email: 'cid@example.org' },
  { name: 'Bob again', age: 19, team: 'b', email: 'bob@example.org' },
  { name: 'Nobody', age: 50, team: 'a', email: '' },
  { name: 'Dan', age: 35, team: 'b', email: 'dan@example.org' },
]

/** What the files call: it says what it was asked, has users, and fails as wanted. */
const openApi = async (): Promise<void> => {
  let tries = 0
  const server = createServer((request, response) => {
    void bodyOf(request).then((text) => {
      const url = new URL(request.url ?? '/', 'http://local')
      const send = (status: number, body: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      }
      if (url.pathname === '/users') return send(200, users)
      if (url.pathname === '/broken') return send(500, { no: 'luck' })
      if (url.pathname === '/flaky') return send((tries += 1) < 3 ? 400 : 200, { tries })
      if (url.pathname === '/text') return void response.writeHead(200, { 'content-type': 'text/plain' }).end('some text')
      const type = request.headers['content-type']
      const body = type === 'application/json' && text !== '' ? (JSON.parse(text) as unknown) : null
      send(200, {
        method: request.method,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { 'content-type': type, 'x-token': request.headers['x-token'] },
        body,
        text,
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  close = () => new Promise((resolve) => server.close(() => resolve()))
}

beforeAll(async () => {
  await openApi()
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1' } })
  anna = await mill.register('anna')
})
afterAll(async () => {
  await mill.close()
  await close()
})

const fileOf = (name: string, callee = ''): object =>
  JSON.parse(
    readFileSync(join(folder, `${name}.json`), 'utf8')
      .replaceAll('https://api.example.org', api)
      .replaceAll('CALLEE', callee),
  ) as object

interface Published {
  readonly id: string
  readonly report: TestReply['body']
}

const imported = async (name: string, callee?: string): Promise<Published> => {
  const { status, body } = await anna.call('POST', '/api/v1/workflows/import', { body: fileOf(name, callee) })
  expect(body).toMatchObject({ workflow: { status: 'draft' }, report: { source: 'n8n' } })
  expect(status).toBe(201)
  const checked = await anna.call('POST', `/api/v1/workflows/${body.workflow.id}/check`)
  expect(checked.body.problems.filter(({ severity }: { severity: string }) => severity === 'error')).toEqual([])
  return { id: body.workflow.id, report: body.report }
}

const published = async (name: string, callee?: string): Promise<Published> => {
  const made = await imported(name, callee)
  const reply = await anna.call('POST', `/api/v1/workflows/${made.id}/publish`)
  expect(reply.body).toMatchObject({ version: 1 })
  return made
}

const call = (path: string, body: object): Promise<TestReply> =>
  mill.call('POST', `/hooks/anna/${path}`, { body, headers: { 'x-agent': 'tester' } })

const executed = async (id: string, input: object = {}): Promise<TestReply['body']> => {
  const reply = await anna.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input, wait_ms: 20_000 } })
  return reply.body
}

const echo = (path: string, more: object = {}): object => ({ method: 'POST', path, query: {}, headers: {}, body: null, text: '', ...more })

/** Files whose webhook answers: what it is called with, and what n8n answers by its documentation. */
const answers: readonly (readonly [file: string, path: string, body: object, expected: unknown])[] = [
  [
    'webhook-set-respond',
    'greet',
    {
      name: 'Ann',
      items: [
        { price: 2, qty: 3 },
        { price: 1.5, qty: 2 },
      ],
    },
    { greeting: 'Hello Ann!', loud: 'ANN', total: 9, agent: 'tester', literal: '{{ not an expression }}', fixed: 7 },
  ],
  ['if-1-set-1-2', 'old-branch', { total: 150, country: 'AT', ok: true }, { size: 'big', total: 150 }],
  ['if-1-set-1-2', 'old-branch', { total: 50, country: 'DE', ok: true }, { size: 'small', country: 'DE' }],
  [
    'http-request-4',
    'request',
    { id: 7, n: 1, name: 'Ann', list: [1, 2] },
    {
      first: echo('/echo/7', {
        query: { lang: 'de', n: '2' },
        headers: { 'content-type': 'application/json', 'x-token': 't-7' },
        body: { name: 'Ann', list: [1, 2] },
        text: '{"name":"Ann","list":[1,2]}',
      }),
      status: 200,
      form: 'was=%2Fecho%2F7&b=2',
      type: 'application/x-www-form-urlencoded',
    },
  ],
  [
    'http-request-1-2-3',
    'old-requests',
    { a: 5 },
    {
      text: 'some text',
      two: {
        ...echo('/echo/two/5'),
        method: 'PUT',
        query: { x: 'y' },
        headers: { 'content-type': 'application/json' },
        body: { from: '/echo/one', n: 5 },
        text: '{"from":"/echo/one","n":5}',
      },
      n: 7,
    },
  ],
  ['switch-1-2-3', 'route', { kind: 'A', n: 1, tags: [], name: '' }, { went: 'one' }],
  ['switch-1-2-3', 'route', { kind: 'b', n: 12, tags: [], name: 'Ann' }, { went: 'ann' }],
  ['switch-1-2-3', 'route', { kind: 'b', n: 1, tags: ['x'], name: 'Bob' }, { went: 'bob' }],
  ['switch-1-2-3', 'route', { kind: 'b', n: 1, tags: ['x'], name: 'Zoe' }, { went: 'other' }],
  ['switch-1-2-3', 'route', { kind: 'b', n: 4, tags: [], name: 'Zoe' }, { went: 'even' }],
  ['switch-1-2-3', 'route', { kind: 'b', n: 5, tags: [], name: 'Zoe' }, { went: 'odd' }],
  [
    'split-out-merge',
    'split',
    {
      shop: 'V',
      orders: [
        { id: 1, total: 5 },
        { id: 2, total: 50 },
        { id: 3, total: 11 },
      ],
    },
    {
      orders: [
        { id: 2, sent: true },
        { id: 3, sent: true },
        { id: 1, sent: false, shop: 'V' },
      ],
    },
  ],
  ['split-in-batches-3', 'batches', { count: 3 }, { paths: ['/echo/batch/1', '/echo/batch/2', '/echo/batch/3'], last: 3, of: 3 }],
  [
    'merge-1-2-3',
    'joins',
    {},
    {
      fields: [
        { id: 1, name: 'Ann', user: 1, total: 7 },
        { id: 2, name: 'Bob', user: 2, total: 5 },
      ],
      position: [
        { id: 1, name: 'Ann', user: 2, total: 5 },
        { id: 2, name: 'Bob', user: 1, total: 7 },
        { id: 3, name: 'Cid', user: 9, total: 1 },
      ],
      enriched: [
        { id: 1, name: 'Ann', user: 1, total: 7 },
        { id: 2, name: 'Bob', user: 2, total: 5 },
        { id: 3, name: 'Cid' },
      ],
      lone: [{ id: 3, name: 'Cid' }],
    },
  ],
  ['errors', 'failures', {}, { tries: 3, caught: true, went_on: true }],
  [
    'dates-and-others',
    'dates',
    { at: '2026-11-20T09:50:00Z' },
    {
      later: '2026-11-22',
      due: '2026-11-01T00:00:00.000+01:00',
      html: '<p>20.11.2026 10:50</p>',
      hash: createHash('sha256').update('<p>20.11.2026 10:50</p>').digest('hex'),
    },
  ],
  ['stop-and-error', 'stop', { email: 'a@b', terms: true }, { ok: true, email: 'a@b' }],
  [
    'fan-out',
    'fan',
    { x: 'y' },
    {
      all: [
        { came: 'left', with: 'y' },
        { came: 'right', with: 'y' },
      ],
    },
  ],
  ['programs', 'programs', { words: ['ab', 'c'] }, { sum: 97 + 99 + 1, slug: 'ab-2.00', plain: 'n=2' }],
]

test.each(answers)('%s at /%s answers as it does in n8n: %j', async (file, path, body, expected) => {
  const known = await anna.call('GET', '/api/v1/workflows?limit=200')
  const there = known.body.items.some(({ triggers }: { triggers: { url?: string }[] }) =>
    triggers.some(({ url }) => url?.endsWith(`/${path}`)),
  )
  if (!there) await published(file)
  const reply = await call(path, body)
  expect(reply.body).toEqual(expected)
})

test('lists are filtered, sorted, freed of duplicates, cut and gathered as in n8n', async () => {
  const { id } = await published('lists')
  expect(await executed(id)).toMatchObject({ status: 'succeeded', output: { name: ['Cid', 'Bob', 'Ann'], ages: [30, 20, 40] } })
})

test('the loop over batches of older files ends by itself, whatever asked whether there was anything left', async () => {
  const { id, report } = await published('split-in-batches-1')
  expect(await executed(id)).toMatchObject({ status: 'succeeded', output: { sum: 55, count: 5 } })
  expect(report.nodes.find(({ node }: { node: string }) => node === 'IF').notes).toEqual([
    'It asked whether the loop was done; a loop knows that by itself.',
  ])
})

test('a workflow calls another with one item, and gets the item that its last node gave', async () => {
  const callee = await published('execute-workflow-callee')
  const { report } = await published('execute-workflow-caller', callee.id)
  expect(report.missing).toEqual([])
  expect((await call('caller', { n: 3 })).body).toEqual({ first: 6, path: '/echo/callee' })
})

test('a call of a workflow that is not here yet is left over, and named', async () => {
  const { body } = await anna.call('POST', '/api/v1/workflows/import?dry_run=true', { body: fileOf('execute-workflow-caller', 'WxYz') })
  const line = body.report.nodes.find(({ node }: { node: string }) => node === 'Execute Workflow')
  expect(line).toMatchObject({ outcome: 'left_over', notes: [expect.stringContaining('"WxYz"')] })
})

test('an unknown node is kept to the letter, can be published with a warning, and refuses to run with a clear text', async () => {
  const file = fileOf('unknown-nodes') as { nodes: { name: string }[] }
  const { id, report } = await imported('unknown-nodes')
  const { body } = await anna.call('GET', `/api/v1/workflows/${id}`)
  const step = (name: string) => body.definition.nodes.find((each: { name?: string }) => each.name === name)
  const original = (name: string) => file.nodes.find((each) => each.name === name)
  expect(step('Slack')).toMatchObject({ type: 'n8n.placeholder', config: { original: original('Slack') } })
  expect(step('Agent').config).toEqual({ original: original('Agent'), parts: [original('Model')] })
  const of = (name: string) => report.nodes.find(({ node }: { node: string }) => node === name)
  expect(of('Slack')).toMatchObject({ type: 'n8n-nodes-base.slack', type_version: 2.2, outcome: 'left_over' })
  expect(of('Slack').notes.join(' ')).toContain('"Team Slack" (slackApi)')
  expect(of('Model')).toMatchObject({ outcome: 'left_over', node_ids: ['agent'] })
  const checked = await anna.call('POST', `/api/v1/workflows/${id}/check`)
  expect(checked.body.problems).toEqual([
    expect.objectContaining({ node_id: 'slack', severity: 'warning', message: expect.stringContaining('n8n-nodes-base.slack') }),
    expect.objectContaining({ node_id: 'agent', severity: 'warning' }),
  ])
  expect((await anna.call('POST', `/api/v1/workflows/${id}/publish`)).status).toBe(201)
  const run = await executed(id)
  expect(run).toMatchObject({
    status: 'failed',
    error: { code: 'n8n.left_over', node_id: 'slack', message: expect.stringContaining('"Slack"') },
  })
  // And it leaves as it came.
  const again = await anna.call('GET', `/api/v1/workflows/${id}/export`)
  expect(again.body.definition).toEqual(body.definition)
})

test('a message to a model becomes the request that it is, without a credential', async () => {
  const { body } = await anna.call('POST', '/api/v1/workflows/import?dry_run=true', { body: fileOf('open-ai') })
  const [, openai, read, old, image] = body.definition.nodes
  expect(openai).toMatchObject({
    type: 'http.request',
    config: {
      method: 'POST',
      url: 'https://api.openai.com/v1/chat/completions',
      body: {
        model: 'gpt-4o-mini',
        messages: [
          { role: 'system', content: 'You are terse.' },
          { role: 'user', content: 'Say {{ trigger.?word.orValue(null) }}' },
        ],
        temperature: 0.2,
        max_tokens: 50,
        response_format: { type: 'json_object' },
      },
    },
  })
  expect(read.config.values).toEqual({ said: '{{ steps.openai.output.body.choices[0].?message.?content.orValue(null) }}' })
  expect(old).toMatchObject({
    type: 'http.request',
    config: {
      body: { model: 'gpt-3.5-turbo', messages: [{ role: 'user', content: 'Again: {{ steps.read.output.?said.orValue(null) }}' }] },
    },
  })
  expect(image.type).toBe('n8n.placeholder')
  expect(JSON.stringify(body)).not.toContain('"integration_id"')
})

test('schedules of both nodes start at the same times, by the clocks of the file', async () => {
  const { id } = await published('schedules')
  const { body } = await anna.call('GET', `/api/v1/workflows/${id}`)
  expect(body.definition.settings).toEqual({ timezone: 'Europe/Vienna', timeout_ms: 600_000 })
  const configs = body.definition.nodes
    .filter(({ type }: { type: string }) => type === 'trigger.schedule')
    .map(({ config }: { config: object }) => config)
  expect(configs).toEqual([
    { cron: '30 9 * * MON,FRI' },
    { cron: '*/10 * * * *' },
    { cron: '0 8 1 * *' },
    { cron: '0 0 * * *' },
    { cron: '15 7 * * *' },
    { every_ms: 420_000 },
    { every_ms: 30_000 },
  ])
  expect(body.triggers.every(({ next_run_at }: { next_run_at: string | null }) => next_run_at !== null)).toBe(true)
})

test('what was pinned is pinned here, and sticky notes and tags are kept', async () => {
  const { body } = await anna.call('POST', '/api/v1/workflows/import?dry_run=true', { body: fileOf('programs') })
  expect(body.definition.pins).toEqual({ webhook: { body: { words: ['a', 'b'] } } })
  const greet = await anna.call('POST', '/api/v1/workflows/import?dry_run=true', { body: fileOf('webhook-set-respond') })
  expect(greet.body).toMatchObject({ name: 'Greet', tags: ['intake'], description: '## Says hello\nAsk Ann about it' })
  expect(greet.body.report.counts.nodes).toEqual({ translated: 2, changed: 1, left_over: 0 })
})

test('what stops with an error stops here', async () => {
  const { status, body } = await call('stop', { email: 'nobody', terms: true })
  expect([status, body.code]).toEqual([500, 'workflows.execution_failed'])
  const run = await anna.call('GET', `/api/v1/workflows/executions/${body.execution_id}`)
  expect(run.body.error).toMatchObject({ code: 'flow.stopped', message: 'Bad address nobody' })
})

test('an import is an event, which says how much is left over', async () => {
  const { body } = await scenario(mill, {
    when: () => anna.call('POST', '/api/v1/workflows/import', { body: fileOf('unknown-nodes') }),
    status: 201,
    body: { report: { counts: { nodes: { left_over: 3 } } } },
    events: ['workflows.created', 'workflows.imported'],
  })
  expect(body.workflow.version).toBe(null)
})

test('a form asks for the same, and what follows finds what was filled in by its label', async () => {
  const { id, report } = await published('form')
  const { body } = await anna.call('GET', `/api/v1/workflows/${id}`)
  expect(body.definition.nodes[0]).toMatchObject({
    type: 'trigger.form',
    config: {
      path: 'sign-up',
      title: 'Sign up',
      fields: [
        { name: 'your_name', label: 'Your name', type: 'text', required: true },
        { name: 'team', label: 'Team', type: 'select', options: ['Red', 'Blue'] },
        { name: 'picture', label: 'Picture', type: 'text' },
      ],
      submit_label: 'Join',
    },
  })
  expect(report.nodes[0]).toMatchObject({ outcome: 'left_over', notes: expect.arrayContaining([expect.stringContaining('"Picture"')]) })
  expect(await executed(id, { fields: { your_name: 'Ann', team: 'Red' } })).toMatchObject({
    status: 'succeeded',
    output: { text: 'Ann joins Red', at: null },
  })
  const page = await fetch(`${mill.url}/forms/anna/sign-up`)
  expect(await page.text()).toContain('Your name')
})

test('there are at least 15 files, and each is tried', () => {
  const files = readdirSync(folder)
  expect(files.length).toBeGreaterThanOrEqual(15)
  const tried = new Set([
    ...answers.map(([file]) => file),
    'lists',
    'split-in-batches-1',
    'execute-workflow-callee',
    'execute-workflow-caller',
    'unknown-nodes',
    'open-ai',
    'schedules',
    'form',
  ])
  expect(files.map((file) => file.replace('.json', '')).filter((file) => !tried.has(file))).toEqual([])
})
