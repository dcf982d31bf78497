import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requestDefinition, respondDefinition, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { serverProcess, type ServerProcess } from '../chaos/server-process.ts'

// A server as it runs in production, but that it logs all there is to log; the tests follow each other.
let data_dir: string
let server: ServerProcess
let output = ''

/** Answers when it is told to, so that a request is known to be under way. */
const held: ServerResponse[] = []
const receiver = createServer((_, response) => void held.push(response))
receiver.listen(0, '127.0.0.1')
await once(receiver, 'listening')
const receiver_at = `127.0.0.1:${(receiver.address() as AddressInfo).port}`

beforeAll(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'millrace-hostile-'))
  server = await serverProcess({
    data_dir,
    env: { LOG_LEVEL: 'trace', MILLRACE_OUTBOUND_ALLOW: receiver_at },
    onOutput: (text) => (output += text),
  })
  await server.start()
})
afterAll(async () => {
  await server.stop()
  receiver.close()
  await rm(data_dir, { recursive: true, force: true })
})

interface Said {
  readonly status: number
  readonly headers: Headers
  // What comes back is what the tests are about.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

const replies: string[] = []
const call = async (method: string, path: string, body?: unknown, headers: { readonly [name: string]: string } = {}): Promise<Said> => {
  const response = await fetch(server.url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  replies.push(JSON.stringify([...response.headers]) + text)
  return { status: response.status, headers: response.headers, body: text.startsWith('{') ? JSON.parse(text) : text }
}

const account = { email: 'ada@example.org', password: 'canary-right-password-e8b1', username: 'ada' }
let bearer: { readonly authorization: string }

const publish = async (definition: object): Promise<string> => {
  const made = await call('POST', '/api/v1/workflows', { name: 'A workflow', definition }, bearer)
  const published = await call('POST', `/api/v1/workflows/${made.body.id}/publish`, undefined, bearer)
  expect([made.status, published.status]).toEqual([201, 201])
  return made.body.id as string
}

const database = (): postgres.Sql => {
  const { host, port } = server.database()
  return postgres({ host, port, user: 'millrace', database: 'millrace', max: 1, onnotice: () => undefined })
}

test('what is secret is shown once to whom it belongs, and stands in no other reply, no line of the log and no table', async () => {
  const signed_in = await call('POST', '/api/v1/auth/register', account)
  expect(signed_in.status).toBe(201)
  const { access_token, refresh_token } = signed_in.body
  const [shown] = replies.splice(0)
  expect(shown).toContain(refresh_token)
  bearer = { authorization: `Bearer ${access_token}` }

  const next = await call('POST', '/api/v1/auth/refresh', { refresh_token })
  const by_cookie = await call('POST', '/api/v1/auth/login', { ...account, username: undefined, use_cookie: true })
  expect([next.status, by_cookie.status]).toEqual([200, 200])
  const cookie = /millrace_refresh=([^;]+)/.exec(by_cookie.headers.get('set-cookie') ?? '')?.[1] as string
  replies.splice(0)

  const c = (what: string): string => `canary-${what}-5d0c`
  const { email } = account
  await call('POST', '/api/v1/auth/login', { email, password: c('wrong') })
  await call('POST', '/api/v1/auth/login', { email: 'nobody@example.org', password: c('nobody') })
  await call('POST', '/api/v1/auth/login', { email: c('not-an-email'), password: c('unknown') })
  await call('POST', '/api/v1/auth/login', `{"email":"${email}","password":"${c('broken')}"`)
  await call('POST', '/api/v1/auth/login', { email, password: [c('list')] })
  await call('POST', '/api/v1/auth/login', { email, passwrod: c('misspelt') })
  await call('POST', '/api/v1/auth/register', { ...account, password: c('taken') })
  await call('POST', '/api/v1/auth/register', { email: 'eve@example.org', password: 'canary' })
  await call('POST', '/api/v1/auth/register', { email: 'x'.repeat(500), password: c('too-long') })
  await call('POST', '/api/v1/auth/setup', { token: c('setup'), email: 'eve@example.org', password: c('set-up-password') })
  await call('POST', '/api/v1/auth/refresh', { refresh_token: `mlrr_${c('refresh')}` })
  await call('POST', '/api/v1/auth/refresh', undefined, { cookie: `millrace_refresh=${c('cookie')}`, 'sec-fetch-site': 'same-origin' })
  await call('GET', '/api/v1/auth/me', undefined, { authorization: `Bearer ${c('bearer')}.x.y` })
  await call('GET', '/api/v1/auth/me', undefined, { authorization: `Basic ${c('basic')}` })
  await call('GET', '/api/v1/auth/me', undefined, { 'x-api-key': `mlr_${c('api-key')}` })
  await call('GET', `/api/v1/auth/me?access_token=${c('query')}`, undefined, bearer)
  await call('GET', `/setup?token=${c('setup-link')}`)
  await call('GET', `/metrics?token=${c('metrics')}`, undefined, { authorization: `Bearer ${c('metrics-bearer')}` })
  await call('GET', '/nowhere', undefined, { 'proxy-authorization': c('proxy'), cookie: `a=${c('other-cookie')}` })
  await call(
    'POST',
    '/api/v1/workflows',
    { name: 'x', definition: { nodes: [], edges: [] } },
    { ...bearer, 'idempotency-key': `"${c('key')}"` },
  )

  await publish(webhookDefinition('in', {}, { n: 1 }))
  const headers = {
    authorization: `Bearer ${c('hook-bearer')}`,
    cookie: `c=${c('hook-cookie')}`,
    'x-api-key': c('hook-api-key'),
    'proxy-authorization': c('hook-proxy'),
  }
  const hook = await call('POST', '/hooks/ada/in', { a: 1 }, headers)
  expect(hook.status).toBe(200)
  const execution_id = hook.headers.get('x-millrace-execution-id') as string
  expect((await call('GET', `/api/v1/workflows/executions/${execution_id}?payloads=true`, undefined, bearer)).status).toBe(200)
  for (const path of [
    '/api/v1/auth/me',
    '/api/v1/auth/sessions',
    '/api/v1/auth/verify',
    '/api/v1/users/profile',
    '/api/v1/workflows',
    '/health',
    '/readyz',
    '/openapi.json',
    '/docs/errors',
  ]) {
    expect([path, (await call('GET', path, undefined, bearer)).status]).toEqual([path, 200])
  }
  expect((await call('POST', '/api/v1/auth/logout', undefined, { authorization: `Bearer ${by_cookie.body.access_token}` })).status).toBe(
    200,
  )

  const secrets = [
    account.password,
    access_token,
    refresh_token,
    next.body.access_token,
    next.body.refresh_token,
    by_cookie.body.access_token,
    cookie,
  ].map(String)
  const places = { replies: replies.join('\n'), log: output, tables: await everything() }
  expect(places.log.length).toBeGreaterThan(10_000)
  for (const text of [places.replies, places.tables]) expect(text).toContain(email)
  for (const [place, text] of Object.entries(places)) {
    for (const secret of secrets) expect([place, secret.slice(0, 12), text.includes(secret)]).toEqual([place, secret.slice(0, 12), false])
    expect([place, text.match(/canary-[\w-]+-5d0c/g) ?? []]).toEqual([place, []])
  }
})

/** Every row of every table, as text. */
const everything = async (): Promise<string> => {
  const sql = database()
  try {
    const tables = await sql<{ name: string }[]>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition`
    expect(tables.length).toBeGreaterThan(10)
    const rows = await Promise.all(tables.map(({ name }) => sql<{ row: string }[]>`select t::text as row from ${sql(name)} t`))
    return rows
      .flat()
      .map(({ row }) => row)
      .join('\n')
  } finally {
    await sql.end()
  }
}

test('told to stop under load, it answers what is under way, and keeps every execution that it has accepted', async () => {
  await publish(webhookDefinition('fast', {}, { n: 1 }))
  await publish(webhookDefinition('later', { respond: 'immediate' }, { n: 1 }))
  await publish(respondDefinition('own', { status: 201, body: 'made' }))
  await publish(
    requestDefinition({ id: 'hook', type: 'trigger.webhook', config: { path: 'slow', respond: 'last_node' } }, `http://${receiver_at}/`),
  )

  let told_at = Number.POSITIVE_INFINITY
  let over = false
  const acknowledged: string[] = []
  const lost: string[] = []
  const client = async (path: string): Promise<void> => {
    while (!over) {
      const began = performance.now()
      try {
        const { status, headers } = await call('POST', path, {})
        const id = headers.get('x-millrace-execution-id')
        if (status < 300 && id !== null) acknowledged.push(id)
        else if (status !== 503) lost.push(`${path} answered ${status}`)
      } catch (error) {
        // After it was told, a client may find the door closed; before, never.
        if (began < told_at - 50) lost.push(`${path}, ${Math.round(told_at - began)} ms before: ${String((error as Error).cause ?? error)}`)
        else await pause(20)
      }
    }
  }
  const clients = ['/hooks/ada/fast', '/hooks/ada/later', '/hooks/ada/own'].flatMap((path) => [client(path), client(path), client(path)])
  const under_way = Array.from({ length: 5 }, () => call('POST', '/hooks/ada/slow', {}))
  await expect.poll(() => held.length).toBe(5)
  await expect.poll(() => acknowledged.length, { timeout: 10_000 }).toBeGreaterThan(100)

  told_at = performance.now()
  const stopped = server.stop()
  await pause(150)
  for (const response of held.splice(0)) response.end('"late"')
  const late = await Promise.all(under_way)
  expect(late.map(({ status, body }) => [status, body.body])).toEqual(late.map(() => [200, '"late"']))
  await stopped
  over = true
  await Promise.all(clients)
  expect(lost).toEqual([])
  for (const { headers } of late) acknowledged.push(headers.get('x-millrace-execution-id') as string)

  await server.start()
  const sql = database()
  try {
    await expect
      .poll(async () => {
        const rows = await sql<{ id: string }[]>`select id from executions where status = 'succeeded'`
        const ended = new Set(rows.map(({ id }) => id))
        return acknowledged.filter((id) => !ended.has(id)).length
      })
      .toBe(0)
  } finally {
    await sql.end()
  }
})
