import { type AddressInfo, createConnection, createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { pipeline } from 'node:stream'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { scenario } from '../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../test-app.ts'
import { openPostOffice } from '../mail/post-office.testing.ts'
import { type Answer, type Asked, type Wire, wire } from './wire.testing.ts'

let mill: TestApp
let anna: TestUser
let service: Wire
let answer: (asked: Asked) => Answer | null = () => ({})
const key = 'key-5f0c2a9e-never-shown'

beforeAll(async () => {
  mill = await testApp({ env: { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', MILLRACE_INTEGRATION_TIMEOUT_MS: '400' } })
  service = await wire((asked) => answer(asked))
})
// Tests are limited by user.
beforeEach(async () => {
  anna = await mill.register()
})
afterAll(async () => {
  await mill.close()
  await service.close()
})

const path = '/api/v1/users/integrations'

const connect = async (body: object): Promise<string> => {
  const reply = await anna.call('POST', path, { body: { name: 'Service', ...body } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}

const tried = async (id: string) => {
  const { status, body } = await anna.call('POST', `${path}/${id}/test`)
  expect(status, JSON.stringify(body)).toBe(200)
  expect((await anna.call('GET', `${path}/${id}`)).body.health).toEqual({
    status: body.status,
    error: body.error,
    checked_at: body.checked_at,
  })
  expect(JSON.stringify(body)).not.toContain(key)
  return body as { status: string; error: string | null }
}

const aws = { access_key_id: 'AKIA1', secret_access_key: key }
const isSigned = ({ headers }: Asked): boolean =>
  /^AWS4-HMAC-SHA256 Credential=AKIA1\/\d{8}\/eu-central-1\//.test(headers.authorization ?? '')

test.each<[string, object, object, string, (asked: Asked) => boolean]>([
  ['http', { auth: 'bearer' }, { token: key }, 'GET /', ({ headers }) => headers.authorization === `Bearer ${key}`],
  ['n8n', {}, { api_key: key }, 'GET /api/v1/workflows', ({ headers }) => headers['x-n8n-api-key'] === key],
  ['openai', {}, { api_key: key }, 'GET /models', ({ headers }) => headers.authorization === `Bearer ${key}`],
  ['openai-compatible', {}, { api_key: key }, 'GET /models', ({ headers }) => headers.authorization === `Bearer ${key}`],
  ['anthropic', {}, { api_key: key }, 'GET /v1/models', ({ headers }) => headers['x-api-key'] === key],
  ['deepgram', {}, { api_key: key }, 'GET /v1/projects', ({ headers }) => headers.authorization === `Token ${key}`],
  ['assemblyai', {}, { api_key: key }, 'GET /v2/transcript', ({ headers }) => headers.authorization === key],
  ['stripe', {}, { api_key: key }, 'GET /v1/balance', ({ headers }) => headers.authorization === `Bearer ${key}`],
  [
    'payfast',
    { merchant_id: '10000100' },
    { passphrase: key },
    'GET /ping',
    ({ headers }) => /^[0-9a-f]{32}$/.test(String(headers['signature'])),
  ],
  ['aws', { region: 'eu-central-1' }, aws, 'POST /', isSigned],
  ['s3', { region: 'eu-central-1', bucket: 'mill' }, aws, 'GET /mill', isSigned],
])('a test of %s makes one call, and says ok or why not', async (type, config, credentials, line, carries) => {
  const id = await connect({ type, config: { ...config, base_url: service.url }, credentials })
  const before = service.asked.length
  answer = (asked) => (carries(asked) ? { body: { echo: asked.headers } } : { status: 401, body: asked.headers })
  expect(await tried(id)).toMatchObject({ status: 'ok', error: null })
  const calls = service.asked.slice(before)
  expect(calls.map(({ method, path: at }) => `${method} ${at}`)).toEqual([line])
  for (const [status, said] of [
    [401, 'not accepted'],
    [403, 'not accepted'],
    [429, 'too many requests'],
    [500, 'trouble of its own'],
    [302, 'sends elsewhere'],
  ] as const) {
    answer = (asked) => ({ status, headers: { location: `${service.url}/more` }, body: asked.headers })
    expect(await tried(id)).toMatchObject({ status: 'failing', error: expect.stringMatching(new RegExp(`${status}: .*${said}`)) })
  }
})

test('slack says in the body whether it takes a token', async () => {
  const id = await connect({ type: 'slack', config: { base_url: service.url }, credentials: { token: key } })
  answer = ({ headers }) => ({ body: { ok: headers.authorization === `Bearer ${key}` } })
  expect(await tried(id)).toMatchObject({ status: 'ok' })
  answer = () => ({ body: { ok: false, error: 'invalid_auth' } })
  expect(await tried(id)).toMatchObject({ status: 'failing', error: 'Slack refuses the token: invalid_auth.' })
  answer = () => ({ body: { ok: false, error: `you sent ${key}` } })
  expect(await tried(id)).toMatchObject({ status: 'failing', error: 'Slack refuses the token: without a reason.' })
})

test('a service that is away, silent, or at an address that is not called is told apart', async () => {
  const silent = await connect({ type: 'openai', config: { base_url: service.url }, credentials: { api_key: key } })
  answer = () => null
  expect(await tried(silent)).toMatchObject({ status: 'failing', error: expect.stringContaining('in time') })
  const away = await connect({ type: 'openai', config: { base_url: 'http://127.0.0.1:9' }, credentials: { api_key: key } })
  expect(await tried(away)).toMatchObject({ status: 'failing', error: expect.stringContaining('could not be reached') })
  for (const [type, config] of [
    ['openai', { base_url: 'http://169.254.169.254' }],
    ['smtp', { host: '10.0.0.1', port: 25 }],
    ['postgres', { host: '192.168.0.1', database: 'a', username: 'b' }],
    ['postgres', { host: '::1', database: 'a', username: 'b' }],
  ] as const) {
    const id = await connect({ type, config, credentials: type === 'openai' ? { api_key: key } : {} })
    expect(await tried(id)).toMatchObject({ status: 'failing', error: expect.stringContaining('does not call that address') })
  }
})

test('an integration that begins to fail says so once, and once when it works again', async () => {
  const id = await connect({ type: 'openai', config: { base_url: service.url }, credentials: { api_key: key } })
  const go = (events: readonly string[]) =>
    scenario(mill, { when: { by: anna.call, method: 'POST', path: `${path}/${id}/test` }, status: 200, events })
  answer = () => ({ status: 401 })
  await go(['integrations.failed'])
  await go([])
  answer = () => ({})
  await go(['integrations.recovered'])
  await go([])
})

test('a mail server takes a sign-in and gets no mail', async () => {
  const office = await openPostOffice({
    disabledCommands: ['STARTTLS'],
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _, done) =>
      username === 'anna' && password === key ? done(null, { user: 'anna' }) : done(new Error('no')),
  })
  const config = { host: '127.0.0.1', port: office.port, tls: 'off', username: 'anna' }
  expect(await tried(await connect({ type: 'smtp', config, credentials: { password: key } }))).toMatchObject({ status: 'ok' })
  expect(await tried(await connect({ type: 'smtp', config, credentials: { password: 'wrong' } }))).toMatchObject({
    status: 'failing',
    error: 'The server does not accept the user name or the password.',
  })
  expect(
    await tried(await connect({ type: 'smtp', config: { ...config, tls: 'required' }, credentials: { password: key } })),
  ).toMatchObject({
    status: 'failing',
  })
  expect(office.taken).toEqual([])
  await office.close()
})

/** What a PostgreSQL server says to somebody who connects: an error with this SQLSTATE (protocol 3.0, ErrorResponse). */
const refusing = async (sqlstate: string) => {
  const fields = `SFATAL\0VFATAL\0C${sqlstate}\0Mno entry for ${key}\0\0`
  const message = Buffer.alloc(5 + fields.length, 'E')
  message.writeInt32BE(4 + fields.length, 1)
  message.write(fields, 5)
  const server = createServer((socket) => void socket.on('error', () => undefined).once('data', () => socket.end(message)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => new Promise((resolve) => server.close(resolve)) }
}

test('a database is tried with one query', async () => {
  const { host, port, user: username, database } = mill.database.connection
  const front = createServer((socket) => void pipeline(socket, createConnection(`${host}/.s.PGSQL.${port}`), socket, () => undefined))
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  const config = { host: '127.0.0.1', port: (front.address() as AddressInfo).port, username, database, tls: 'off' }
  expect(await tried(await connect({ type: 'postgres', config }))).toMatchObject({ status: 'ok', error: null })
  expect(await tried(await connect({ type: 'postgres', config: { ...config, database: 'none' } }))).toMatchObject({
    status: 'failing',
    error: 'There is no such database.',
  })
  expect(await tried(await connect({ type: 'postgres', config: { ...config, port: 9 } }))).toMatchObject({ status: 'failing' })
  const server = await refusing('28P01')
  expect(
    await tried(await connect({ type: 'postgres', config: { ...config, port: server.port }, credentials: { password: key } })),
  ).toMatchObject({
    status: 'failing',
    error: 'The server does not accept the user name or the password.',
  })
  await server.close()
  await new Promise((resolve) => front.close(resolve))
})

/** A server that answers whoever connects with these bytes and leaves the line open. */
const saying = async (bytes: Buffer) => {
  const server = createServer((socket) => void socket.on('error', () => undefined).once('data', () => socket.write(bytes)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => new Promise((resolve) => server.close(resolve)) }
}

test.each<[string, Buffer]>([
  ['says nothing more', Buffer.from('R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I', 'latin1')],
  ['names an error without an end', Buffer.from('E\0\0\0\x09SFATA', 'latin1')],
  ['names a parameter without an end', Buffer.from('S\0\0\0\x0aserver', 'latin1')],
  ['announces more columns than there are', Buffer.from('T\0\0\0\x06\xff\xff', 'latin1')],
  ['is none', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
])('a database server that %s does not hold this one up', async (_, bytes) => {
  const server = await saying(bytes)
  const config = { host: '127.0.0.1', port: server.port, username: 'a', database: 'b', tls: 'off' }
  const id = await connect({ type: 'postgres', config })
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  expect(await tried(id)).toMatchObject({ status: 'failing' })
  delay.disable()
  expect(delay.max / 1e6).toBeLessThan(3_000)
  await server.close()
})
