import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { escapeHtml } from '../../../lib/html.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../../test-app.ts'
import { publish } from '../definitions.testing.ts'

let mill: TestApp
let anna: TestUser

beforeAll(async () => {
  mill = await testApp()
  anna = await mill.register('anna')
})
afterAll(() => mill.close())

const contact: JsonObject = {
  title: 'Write to us',
  fields: [
    { name: 'email', label: 'Your address', type: 'email', required: true },
    { name: 'text', label: 'Message', type: 'textarea', required: true, min_length: 3, max_length: 20 },
    { name: 'sacks', label: 'Sacks', type: 'number', min: 1, max: 10, integer: true },
    { name: 'day', label: 'Day', type: 'date', min: '2026-01-01' },
    { name: 'flour', label: 'Flour', type: 'select', options: ['Rye', { value: 'wheat', label: 'Wheat & spelt' }], default: 'wheat' },
    { name: 'agreed', label: 'I agree', type: 'checkbox', required: true },
    { name: 'name', label: 'Name', type: 'text' },
  ],
}

const definition = (path: string, config: JsonObject = contact, value = '{{ trigger.fields }}') => ({
  nodes: [
    { id: 'form', type: 'trigger.form', config: { path, ...config } },
    { id: 'note', type: 'data.set', config: { values: { message: value } } },
  ],
  edges: [{ from: 'form', to: 'note' }],
})

const good = { email: 'ada@example.org', text: 'one\r\ntwo', sacks: '3', day: '2026-11-20', flour: 'Rye', agreed: 'on', name: ' ' }

const open = (path: string) => mill.call('GET', `/forms/anna/${path}`)

const tokenOf = (page: string): string => /name="_token" value="([^"]+)"/.exec(page)?.[1] as string

const send = (path: string, fields: Readonly<Record<string, string>>, headers = {}): Promise<TestReply> =>
  mill.call('POST', `/forms/anna/${path}`, {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  })

const fill = async (path: string, fields: Readonly<Record<string, string>>): Promise<TestReply> =>
  send(path, { _token: tokenOf((await open(path)).body), ...fields })

const executionsOf = async (workflow_id: string): Promise<readonly JsonObject[]> => {
  const { body } = await anna.call('GET', `/api/v1/workflows/executions?limit=100`)
  const ids = (body.items as { id: string; workflow_id: string }[]).filter((one) => one.workflow_id === workflow_id).map(({ id }) => id)
  return Promise.all(ids.map(async (id) => (await anna.call('GET', `/api/v1/workflows/executions/${id}`)).body as JsonObject))
}

test('a form that is filled in starts the workflow, with values of their types', async () => {
  const id = await publish(anna, definition('contact'))
  const { triggers } = (await anna.call('GET', `/api/v1/workflows/${id}`)).body
  expect(triggers).toEqual([{ node_id: 'form', type: 'trigger.form', url: `${mill.url}/forms/anna/contact` }])
  const reply = await fill('contact', good)
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(reply.body).toContain('Thank you')
  const [execution] = await executionsOf(id)
  expect(execution?.['input']).toEqual({
    fields: { email: 'ada@example.org', text: 'one\ntwo', sacks: 3, day: '2026-11-20', flour: 'Rye', agreed: true, name: null },
    submitted_at: expect.stringMatching(/^\d{4}-.*Z$/),
    form: 'contact',
  })
})

test('what is wrong is said at each field, what was typed stays, and nothing starts', async () => {
  const id = await publish(anna, definition('wrong'))
  const typed = { email: 'ada', text: 'x'.repeat(21), sacks: '2.5', day: '2026-02-30', flour: 'Oats', name: 'A "quoted" <name>' }
  const reply = await fill('wrong', typed)
  expect(reply.status).toBe(422)
  for (const name of ['email', 'text', 'sacks', 'day', 'flour', 'agreed']) {
    expect(reply.body).toContain(`id="field-${name}-error"`)
    expect(reply.body).toMatch(new RegExp(`id="field-${name}"[^>]*aria-invalid="true"[^>]*aria-describedby="field-${name}-error"`))
    expect(reply.body).toContain(`<a href="#field-${name}">`)
  }
  expect(reply.body).not.toContain('field-name-error')
  expect(reply.body.match(/ autofocus/g)).toHaveLength(1)
  expect(reply.body).toMatch(/id="field-email"[^>]* autofocus/)
  expect(reply.body).toContain('value="A &quot;quoted&quot; &lt;name&gt;"')
  expect(reply.body).toContain('value="2026-02-30"')
  expect(await executionsOf(id)).toEqual([])
  // The same page, put right, is good.
  const mended = await send('wrong', { ...good, _token: tokenOf(reply.body) })
  expect(mended.status).toBe(200)
  expect(await executionsOf(id)).toHaveLength(1)
})

test('a button pressed twenty times at once starts one execution; other answers start another', async () => {
  const id = await publish(anna, definition('twice'))
  const token = tokenOf((await open('twice')).body)
  const replies = await Promise.all(Array.from({ length: 20 }, () => send('twice', { ...good, _token: token })))
  expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
  expect(new Set(replies.map(({ headers }) => headers.get('x-millrace-execution-id'))).size).toBe(1)
  expect(await executionsOf(id)).toHaveLength(1)
  expect((await send('twice', { ...good, sacks: '4', _token: token })).status).toBe(200)
  expect(await executionsOf(id)).toHaveLength(2)
})

test('a form without its token, with one of another form or of another site starts nothing and can be sent again', async () => {
  const id = await publish(anna, definition('token'))
  await publish(anna, definition('other'))
  const foreign = tokenOf((await open('other')).body)
  for (const token of ['', 'x.y.z', foreign, `${foreign.slice(0, -1)}${foreign.endsWith('A') ? 'B' : 'A'}`]) {
    const reply = await send('token', { ...good, _token: token })
    expect(reply.status).toBe(422)
    expect(reply.body).toContain('ada@example.org')
  }
  const token = tokenOf((await open('token')).body)
  const elsewhere = await send('token', { ...good, _token: token }, { 'sec-fetch-site': 'cross-site' })
  expect(elsewhere.status).toBe(403)
  expect(await executionsOf(id)).toEqual([])
  expect((await send('token', { ...good, _token: tokenOf(elsewhere.body) }, { 'sec-fetch-site': 'same-origin' })).status).toBe(200)
})

test('a body of half a million names costs no more than the form that it was sent to', async () => {
  await publish(anna, definition('names'))
  await publish(anna, { nodes: [{ id: 'hook', type: 'trigger.webhook', config: { path: 'names' } }], edges: [] })
  const token = tokenOf((await open('names')).body)
  const names = 'a&'.repeat(500_000)
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const started = performance.now()
  const [form, hook] = [
    await mill.call('POST', '/forms/anna/names', { body: `_token=${encodeURIComponent(token)}&email=ada@example.org&${names}`, headers }),
    await mill.call('POST', '/hooks/anna/names', { body: names, headers }),
  ]
  expect([form.status, form.body.includes('ada@example.org'), hook.status]).toEqual([422, true, 413])
  expect(performance.now() - started).toBeLessThan(2_000)
})

test('a page that was open for longer than a day asks to be sent once more', async () => {
  let ahead = 0
  const later = await testApp({ clock: { now: () => Date.now() + ahead } })
  try {
    const user = await later.register('anna')
    await publish(user, definition('old'))
    const page = await later.call('GET', '/forms/anna/old')
    ahead = 25 * 3_600_000
    const post = (token: string) =>
      later.call('POST', '/forms/anna/old', {
        body: new URLSearchParams({ ...good, _token: token }).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      })
    const reply = await post(tokenOf(page.body))
    expect([reply.status, reply.body.includes('open for too long')]).toEqual([422, true])
    expect((await post(tokenOf(reply.body))).status).toBe(200)
  } finally {
    await later.close()
  }
})

test('a program that fills in what nobody sees is thanked, and starts nothing', async () => {
  const id = await publish(anna, definition('trap'))
  const reply = await fill('trap', { ...good, 'your-website': 'https://spam.example' })
  expect([reply.status, reply.body.includes('Thank you')]).toEqual([200, true])
  expect(await executionsOf(id)).toEqual([])
})

const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onfocus=alert(1) autofocus='",
  '</textarea></select></title></style><svg onload=alert(1)>',
  'javascript:alert(1)',
  '&lt;b&gt;{{ trigger }}',
]

/** Every tag of a page with the names of its attributes. */
const tagsOf = (page: string): readonly string[] =>
  [...page.matchAll(/<([a-z0-9]+)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*>/g)].map(
    ([, tag = '', rest = '']) => `${tag} ${[...rest.matchAll(/([a-z-]+)(?:="[^"]*")?/g)].map(([, name]) => name).join(' ')}`,
  )

test.each(hostile)('a text is a text wherever it stands on the page: %s', async (text) => {
  const path = `hostile-${hostile.indexOf(text)}`
  const config = (words: string): JsonObject => ({
    title: words,
    description: words,
    submit_label: words.slice(0, 100),
    success_message: words,
    fields: [
      { name: 'a', label: words, type: 'text', description: words, placeholder: words, default: words },
      { name: 'b', label: words, type: 'textarea', default: words, placeholder: words, required: true },
      { name: 'c', label: words, type: 'select', options: [{ value: words, label: words }, words.concat('!')], default: words },
      { name: 'd', label: words, type: 'checkbox', description: words },
      { name: 'e', label: words, type: 'email', placeholder: words },
    ],
  })
  await publish(anna, definition(path, config(text)))
  await publish(anna, definition(`plain-${path}`, config('plain')))
  const [page, plain] = await Promise.all([open(path), open(`plain-${path}`)])
  expect(tagsOf(page.body)).toEqual(tagsOf(plain.body))
  expect(page.body.split(escapeHtml(text)).length).toBeGreaterThan(12)
  const wrong = await send(path, { _token: tokenOf(page.body), a: text, b: '', c: `${text}?`, e: text })
  const plain_wrong = await send(`plain-${path}`, { _token: tokenOf(plain.body), a: 'plain', b: '', c: 'plain?', e: 'plain' })
  expect(wrong.status).toBe(422)
  expect(tagsOf(wrong.body)).toEqual(tagsOf(plain_wrong.body))
  const sent = await send(path, { _token: tokenOf(page.body), a: text, b: 'x', c: text })
  expect(sent.status).toBe(200)
  expect(sent.body).toContain(escapeHtml(text))
  expect(tagsOf(sent.body)).not.toContain('script ')
  for (const { headers } of [page, wrong, sent]) {
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/)
  }
})

test('JSON is taken as well: of its types, once under a key, and with problems by field', async () => {
  const id = await publish(anna, definition('json', { ...contact, respond: 'last_node' }, '{{ trigger.fields.sacks }}'))
  const post = (body: unknown, headers = {}) => mill.call('POST', '/forms/anna/json', { body, headers })
  const whole = { email: 'ada@example.org', text: 'one', sacks: 3, agreed: true }
  const replies = await Promise.all([1, 2].map(() => post(whole, { 'idempotency-key': '"form-1"' })))
  const settled = replies.find(({ status }) => status === 200)
  expect(settled?.body).toEqual({ message: 3 })
  expect((await post(whole, { 'idempotency-key': '"form-1"' })).body).toEqual({ message: 3 })
  expect(await executionsOf(id)).toHaveLength(1)
  const wrong = await post({ email: 7, text: 'one', sacks: '3', agreed: false, constructor: 1, extra: 1 })
  expect([wrong.status, wrong.body.code]).toEqual([422, 'http.validation_failed'])
  expect(wrong.body.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual([
    'agreed',
    'constructor',
    'email',
    'extra',
    'sacks',
  ])
  expect((await post([1])).status).toBe(422)
  expect((await post('{')).body.code).toBe('http.malformed_json')
  const file = await mill.call('POST', '/forms/anna/json', { body: 'x', headers: { 'content-type': 'multipart/form-data; boundary=x' } })
  expect(file.status).toBe(415)
})

test('with last_node the page shows what the workflow says, and says so when it failed', async () => {
  await publish(anna, definition('answer', { ...contact, respond: 'last_node' }, 'Order of {{ trigger.fields.sacks }} <sacks>'))
  const reply = await fill('answer', good)
  expect(reply.body).toContain('Order of 3 &lt;sacks&gt;')
  const failing = definition('fails', { ...contact, respond: 'last_node' })
  failing.nodes[1] = { id: 'note', type: 'flow.stop', config: { status: 'failed', message: 'not for strangers' } } as never
  await publish(anna, failing)
  const failed = await fill('fails', good)
  expect(failed.status).toBe(500)
  expect(failed.body).toContain(failed.headers.get('x-millrace-execution-id'))
  expect(failed.body).not.toContain('not for strangers')
})

test('a form that is paused, unknown or of nobody is a page that says so; another process knows it', async () => {
  const beside = await testApp({ beside: mill })
  try {
    const id = await publish(anna, definition('comes-and-goes'))
    await vi.waitFor(async () => expect((await beside.call('GET', '/forms/anna/comes-and-goes')).status).toBe(200))
    expect((await anna.call('POST', `/api/v1/workflows/${id}/pause`)).status).toBe(200)
    for (const path of ['anna/comes-and-goes', 'anna/unknown', 'nobody/contact']) {
      const reply = await mill.call('GET', `/forms/${path}`, { headers: { accept: 'text/html,*/*;q=0.8' } })
      expect([reply.status, reply.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
      expect((await mill.call('GET', `/forms/${path}`)).body.code).toBe('workflows.form_not_found')
    }
    expect((await mill.call('POST', '/forms/anna/unknown', { body: {} })).body.code).toBe('workflows.form_not_found')
    await vi.waitFor(async () => expect((await beside.call('GET', '/forms/anna/comes-and-goes')).status).toBe(404))
    expect((await anna.call('POST', `/api/v1/workflows/${id}/resume`)).status).toBe(200)
    expect((await open('comes-and-goes')).status).toBe(200)
  } finally {
    await beside.close()
  }
})

test('the path of a form is one of its own among forms, and may be that of a webhook', async () => {
  const webhook = { nodes: [{ id: 'hook', type: 'trigger.webhook', config: { path: 'shared' } }], edges: [] }
  await publish(anna, definition('shared'))
  await publish(anna, webhook)
  expect([(await mill.call('POST', '/hooks/anna/shared', { body: {} })).status, (await open('shared')).status]).toEqual([202, 200])
  const { body } = await anna.call('POST', '/api/v1/workflows', { body: { name: 'Again', definition: definition('shared') } })
  const refused = await anna.call('POST', `/api/v1/workflows/${body.id}/publish`)
  expect(refused.status).toBe(422)
  expect(refused.body.problems).toMatchObject([{ node_id: 'form', path: '/nodes/0/config/path' }])
  expect((await mill.call('GET', '/hooks/anna/contact')).status).toBe(404)
})

test('one address sends a form so often in a minute; another is not kept from it', async () => {
  const small = await testApp({ env: { MILLRACE_FORM_SUBMISSIONS_PER_MINUTE: '2' } })
  try {
    const user = await small.register('anna')
    await publish(user, definition('limited'))
    const post = (address: string) =>
      small.call('POST', '/forms/anna/limited', {
        body: { email: 'ada@example.org', text: 'one', agreed: true },
        headers: { 'x-forwarded-for': address },
      })
    const statuses = []
    for (let n = 0; n < 3; n += 1) statuses.push((await post('198.51.100.7')).status)
    expect(statuses).toEqual([202, 202, 429])
    expect((await post('198.51.100.8')).status).toBe(202)
  } finally {
    await small.close()
  }
})

const wrongConfigs: readonly (readonly [string, JsonObject, string])[] = [
  [
    'two fields of a name',
    { fields: [contact['fields'], contact['fields']].map(() => ({ name: 'a', label: 'A', type: 'text' })) },
    '/fields/1/name',
  ],
  ['a select of nothing', { fields: [{ name: 'a', label: 'A', type: 'select' }] }, '/fields/0/options'],
  ['options of a text', { fields: [{ name: 'a', label: 'A', type: 'text', options: ['x'] }] }, '/fields/0/options'],
  ['an unknown type', { fields: [{ name: 'a', label: 'A', type: 'file' }] }, '/fields/0/type'],
  ['a range upside down', { fields: [{ name: 'a', label: 'A', type: 'number', min: 2, max: 1 }] }, '/fields/0/max'],
  ['a day that there is not', { fields: [{ name: 'a', label: 'A', type: 'date', min: '2026-02-30' }] }, '/fields/0/min'],
  ['a default of another type', { fields: [{ name: 'a', label: 'A', type: 'number', default: 'x' }] }, '/fields/0/default'],
  ['a name that is the page’s own', { fields: [{ name: '_token', label: 'A', type: 'text' }] }, '/fields/0/name'],
  ['no fields', { fields: [] }, '/fields'],
  ['an expression', { fields: [{ name: 'a', label: 'A', type: 'checkbox', required: '{{ true }}' }] }, ''],
]

test.each(wrongConfigs)('%s is found before it is published', async (_, config, path) => {
  const nodes = [{ id: 'form', type: 'trigger.form', config: { path: 'mistaken', title: 'T', ...config } }]
  const { body } = await anna.call('POST', '/api/v1/workflows', { body: { name: 'Mistaken', definition: { nodes, edges: [] } } })
  const checked = await anna.call('POST', `/api/v1/workflows/${body.id}/check`)
  expect(checked.body.problems.map((problem: { path: string }) => problem.path)).toContain(`/nodes/0/config${path}`)
})
