import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import type { NodeIo } from '../../../engine/node.ts'
import { sendToMembers } from './members.ts'
import { openPostOffice, type PostOffice, refuse } from '../../mail/post-office.testing.ts'
import { manual, publish } from '../../workflows/definitions.testing.ts'

const password = 'a pass word 1'
let mill: TestApp
let anna: TestUser
let ben: TestUser
/** The workspace's own server, and the product's. */
let own: PostOffice
let products: PostOffice

beforeAll(async () => {
  own = await openPostOffice({
    disabledCommands: ['STARTTLS'],
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: (auth, _, callback) =>
      auth.username === 'post' && auth.password === password
        ? callback(null, { user: auth.username })
        : callback(refuse(535, `no entry with ${auth.password}`)),
  })
  products = await openPostOffice()
  mill = await testApp({
    env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', SMTP_URL: `smtp://127.0.0.1:${products.port}`, MAIL_FROM: 'Mill <post@mill.example>' },
  })
  anna = await mill.register('anna')
  ben = await mill.register('ben')
  await mill.database.owner`update users set email_verified = true where id = ${anna.id}`
})
afterAll(async () => {
  await mill.close()
  await own.close()
  await products.close()
})
afterEach(() => {
  delete own.behaviour.onRecipient
  delete own.behaviour.onTaken
})

const connect = async (user: TestUser, credentials: object = { password }, config: object = {}): Promise<string> => {
  const server = { host: '127.0.0.1', port: own.port, tls: 'off', username: 'post', from: 'Acme <orders@acme.example>', ...config }
  const reply = await user.call('POST', '/api/v1/users/integrations', { body: { type: 'smtp', name: 'Post', config: server, credentials } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}

const letter = { to: 'ada@example.org', subject: 'Your order', text: 'Dear Ada,\n\nit is on its way — soon.' }

const run = async (user: TestUser, config: object, more: object = {}, input: object = {}) => {
  const send = { id: 'send', type: 'mail.send', config: { ...letter, ...config }, ...more }
  const id = await publish(user, { nodes: [manual, send], edges: [{ from: 'start', to: 'send' }] })
  const { body } = await user.call('POST', `/api/v1/workflows/${id}/execute`, { body: { wait_ms: 10_000, input } })
  return (await user.call('GET', `/api/v1/workflows/executions/${body.id}?payloads=true`)).body
}

test('a mail goes through the workspace’s server, from whom and to whom the step says, and nobody sees who got it besides', async () => {
  const integration_id = await connect(anna)
  const execution = await run(anna, {
    integration_id,
    to: ['ada@example.org', 'bea@example.org'],
    cc: 'cleo@example.org',
    bcc: ['dora@example.org'],
    reply_to: 'desk@acme.example',
    html: '<p>Dear Ada</p>',
  })
  expect(execution.status, JSON.stringify(execution.error)).toBe('succeeded')
  const [mail] = own.taken
  expect(mail?.from).toBe('orders@acme.example')
  expect(mail?.to).toEqual(['ada@example.org', 'bea@example.org', 'cleo@example.org', 'dora@example.org'])
  expect(mail?.header('from')).toBe('Acme <orders@acme.example>')
  expect(mail?.header('reply-to')).toBe('desk@acme.example')
  expect(mail?.header('auto-submitted')).toBe('auto-generated')
  expect(mail?.raw).not.toContain('dora@')
  expect([...(mail?.parts.keys() ?? [])]).toEqual(['text/plain', 'text/html'])
  expect(mail?.parts.get('text/plain')?.replaceAll('\r\n', '\n')).toContain('it is on its way — soon.')
  expect(execution.output).toMatchObject({ message_id: mail?.header('message-id'), rejected: [] })
  expect(execution.output.accepted).toHaveLength(4)
  expect(mail?.header('message-id')).toMatch(/^<[0-9a-f]{32}@acme\.example>$/)
})

test('a mail that is tried again keeps its Message-ID, after as long as the server asks', async () => {
  const integration_id = await connect(anna)
  const before = own.taken.length
  let calls = 0
  own.behaviour.onTaken = () => {
    calls += 1
    if (calls === 1) throw refuse(451, 'the disk is full, try again in 1 seconds')
    if (calls === 2) throw refuse(421, 'shutting down')
  }
  const started = Date.now()
  const execution = await run(anna, { integration_id }, { retry: { max_attempts: 4, delay_ms: 1, jitter: false } })
  expect(execution.status, JSON.stringify(execution.error)).toBe('succeeded')
  expect(Date.now() - started).toBeGreaterThanOrEqual(1_000)
  const tries = own.taken.slice(before)
  expect(tries).toHaveLength(3)
  expect(new Set(tries.map((mail) => mail.header('message-id'))).size).toBe(1)
})

test('what the server refuses for good is not tried again, and says what it said', async () => {
  const integration_id = await connect(anna)
  own.behaviour.onRecipient = (address) => {
    if (address.startsWith('gone')) throw refuse(550, 'no such mailbox')
  }
  const asked = own.asked.length
  const execution = await run(anna, { integration_id, to: 'gone@example.org' }, { retry: { max_attempts: 5, delay_ms: 1 } })
  expect(execution.error).toMatchObject({
    code: 'mail.refused',
    message: expect.stringContaining('no such mailbox'),
    details: { reply: 550 },
  })
  expect(own.asked.slice(asked)).toEqual(['gone@example.org'])
  const partly = await run(anna, { integration_id, to: ['gone@example.org', 'ada@example.org'] })
  expect(partly.output).toMatchObject({
    accepted: ['ada@example.org'],
    rejected: [{ address: 'gone@example.org', reason: expect.stringContaining('no such mailbox') }],
  })
})

test('a wrong password is not tried again, and is seen nowhere', async () => {
  const wrong = 'wrong-canary-7'
  const integration_id = await connect(anna, { password: wrong })
  const execution = await run(anna, { integration_id }, { retry: { max_attempts: 5, delay_ms: 1 } })
  expect(execution).toMatchObject({ status: 'failed', error: { code: 'mail.auth' } })
  const rows = await mill.database.owner`select body from execution_records`
  expect(JSON.stringify([execution, rows])).not.toContain(wrong)
})

test('a server that is not there is tried again, one that is not allowed is not', async () => {
  const closed = await connect(anna, {}, { port: 1, username: undefined })
  expect(await run(anna, { integration_id: closed })).toMatchObject({ error: { code: 'mail.not_taken' } })
  const inside = await connect(anna, {}, { host: '10.0.0.1', port: 25, username: undefined })
  expect((await run(anna, { integration_id: inside }, { retry: { max_attempts: 3, delay_ms: 1 } })).error.code).toMatch(/^outbound\./)
})

test.each<[string, object, string]>([
  ['a recipient with a line break', { to: 'ada@example.org\nbcc: all@example.org' }, 'mail.address_invalid'],
  ['a second recipient in one text', { to: 'ada@example.org, eve@example.org' }, 'mail.address_invalid'],
  ['a sender that is no address', { from: 'nobody' }, 'mail.no_sender'],
  ['nobody', { to: '{{ [] }}' }, 'mail.wrong'],
  ['a list of objects', { to: '{{ [{"a": 1}] }}' }, 'node.config_invalid'],
  [
    '51 recipients',
    { to: '{{ range(26).map(n, "a" + string(n) + "@example.org") }}', cc: '{{ range(25).map(n, "a@b.c") }}' },
    'mail.wrong',
  ],
])('%s is refused before a server is asked', async (_, config, code) => {
  const integration_id = await connect(anna)
  const before = own.asked.length
  expect((await run(anna, { integration_id, ...config })).error).toMatchObject({ code })
  expect(own.asked.length).toBe(before)
})

test('a subject cannot bring headers along', async () => {
  const integration_id = await connect(anna)
  const execution = await run(anna, { integration_id, subject: '{{ trigger.subject }}' }, {}, { subject: 'Hi\r\nBcc: eve@example.org' })
  expect(execution.status).toBe('succeeded')
  const mail = own.taken.at(-1)
  expect([mail?.header('subject'), mail?.header('bcc'), mail?.to]).toEqual(['Hi Bcc: eve@example.org', undefined, ['ada@example.org']])
})

test('an integration of another workspace, or of another type, sends nothing', async () => {
  const theirs = await connect(ben)
  expect((await run(anna, { integration_id: theirs })).error).toMatchObject({ code: 'integrations.missing' })
  const body = { type: 'openai', name: 'AI', credentials: { api_key: 'a-key' } }
  const other = (await anna.call('POST', '/api/v1/users/integrations', { body })).body.id as string
  expect((await run(anna, { integration_id: other })).error).toMatchObject({ code: 'integrations.not_usable' })
})

test('without an integration a mail reaches members through the product’s server, once, as the product writes it', async () => {
  const execution = await run(anna, { to: ['owners', anna.email], text: '<b>Bold</b>\n\nSecond' })
  expect(execution.output).toEqual({ message_id: null, accepted: [anna.email], rejected: [] })
  const ours = () => products.taken.filter((mail) => mail.header('subject') === 'Your order')
  await vi.waitFor(() => expect(ours().length).toBeGreaterThan(0), { timeout: 10_000, interval: 50 })
  const mails = ours()
  expect(mails).toHaveLength(1)
  expect(mails[0]?.header('from')).toBe('Mill <post@mill.example>')
  expect(mails[0]?.parts.get('text/html')).toContain('&lt;b&gt;Bold&lt;/b&gt;')
  expect(mails[0]?.parts.get('text/plain')).toContain('by a workflow of your workspace')
})

test('a step that is repeated after a crash puts no second mail into the post', async () => {
  const letter_of = { ...letter, cc: [], bcc: [], reply_to: null, from: null, html: null, to: ['owners'], subject: 'Once' }
  const io = { app: mill.app, workspace_id: anna.workspace_id, execution_id: mill.app.newId(), path: 'loop[3].send' } as unknown as NodeIo
  expect(await sendToMembers(letter_of, io)).toEqual(await sendToMembers(letter_of, io))
  const counted = () => mill.database.owner`select id from mails where subject = 'Once'`
  expect(await counted()).toHaveLength(1)
  await sendToMembers(letter_of, { ...io, path: 'loop[4].send' })
  expect(await counted()).toHaveLength(2)
})

test('the product’s server is no way to strangers, nor to members who have not confirmed their address', async () => {
  for (const to of ['eve@example.org', [anna.email, ben.email], ben.id]) {
    const execution = await run(anna, { to })
    expect([to, execution.error?.code]).toEqual([to, 'mail.not_a_member'])
  }
  expect((await run(ben, { to: 'owners' })).error).toMatchObject({ code: 'mail.not_confirmed' })
  const rows = await mill.database.owner`select recipient from mails where kind = 'workflows.mail' and recipient <> ${anna.email}`
  expect(rows).toEqual([])
})

test('what only an integration can do is refused when the workflow is published', async () => {
  const send = { id: 'send', type: 'mail.send', config: { ...letter, bcc: 'a@example.org', html: '<p>' } }
  const definition = { nodes: [manual, send], edges: [{ from: 'start', to: 'send' }] }
  const { body } = await anna.call('POST', '/api/v1/workflows', { body: { name: 'x', definition } })
  const published = await anna.call('POST', `/api/v1/workflows/${body.id}/publish`)
  expect(published.status).toBe(422)
  expect(published.body.errors.map(({ path }: { path: string }) => path)).toEqual(['/nodes/1/config/bcc', '/nodes/1/config/html'])
})
