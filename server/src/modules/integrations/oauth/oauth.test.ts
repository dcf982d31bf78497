import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { type TestApp, testApp, type TestUser } from '../../../test-app.ts'
import { manual, publish } from '../../workflows/definitions.testing.ts'
import { client_secret, type Issuer, openIssuer } from './issuer.testing.ts'

let mill: TestApp
let other: TestApp
let anna: TestUser
let issuer: Issuer
const clock = manualClock(Date.now())

beforeAll(async () => {
  const env = { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', MILLRACE_INTEGRATION_TIMEOUT_MS: '2000' }
  mill = await testApp({ env, clock })
  other = await testApp({ env, clock, beside: mill })
  anna = await mill.register('anna')
  issuer = await openIssuer()
})
beforeEach(async () => {
  issuer.granted.splice(0)
  issuer.trouble = null
  issuer.pause = async () => undefined
  const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: anna.email, password: anna.password } })
  anna = { ...anna, access_token: body.access_token, call: mill.as(body) }
})
afterAll(async () => {
  await other.close()
  await mill.close()
  await issuer.close()
})

const path = '/api/v1/users/integrations'

const connect = async (config: object = {}): Promise<string> => {
  const body = {
    type: 'oauth2',
    name: 'Calendar',
    config: {
      grant: 'authorization_code',
      authorization_url: `${issuer.url}/authorize`,
      token_url: `${issuer.url}/token`,
      client_id: 'mill',
      scopes: ['read', 'write'],
      authorization_params: { access_type: 'offline', state: 'mine', redirect_uri: 'https://thief.example' },
      base_url: issuer.url,
      ...config,
    },
    credentials: { client_secret },
  }
  const reply = await anna.call('POST', path, { body })
  expect(reply.status, JSON.stringify(reply.body)).toBe(201)
  return reply.body.id as string
}

const start = async (id: string, redirect_to = '/settings') => {
  const reply = await anna.call('POST', `${path}/${id}/oauth/start`, { body: { redirect_to } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(200)
  const cookie = (reply.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  return { url: reply.body.authorization_url as string, cookie, header: reply.headers.get('set-cookie') ?? '' }
}

const back = (place: string, cookie: string) => mill.call('GET', place, { headers: { cookie } })

const agreed = async (config: object = {}): Promise<string> => {
  const id = await connect(config)
  const { url, cookie } = await start(id)
  expect((await back(issuer.agree(url), cookie)).headers.get('location')).toBe(`${mill.url}/settings#connected=${id}`)
  return id
}

/** Runs one request with it, in one of the processes. */
const fetching = async (id: string) =>
  publish(anna, {
    nodes: [manual, { id: 'fetch', type: 'http.request', config: { method: 'GET', url: `${issuer.url}/api`, integration_id: id } }],
    edges: [{ from: 'start', to: 'fetch' }],
  })
const run = async (workflow_id: string, app = mill) =>
  (await app.as(anna)('POST', `/api/v1/workflows/${workflow_id}/execute`, { body: { wait_ms: 15_000 } })).body

test('somebody gives their consent, and requests carry the token that the service gives for it', async () => {
  const id = await connect()
  expect((await anna.call('GET', `${path}/${id}`)).body.connected).toBe(false)
  const { url, cookie, header } = await start(id)
  const asked = new URL(url).searchParams
  expect(Object.fromEntries(asked)).toMatchObject({
    response_type: 'code',
    client_id: 'mill',
    scope: 'read write',
    access_type: 'offline',
    redirect_uri: `${mill.url}/api/v1/integrations/oauth/callback`,
    code_challenge_method: 'S256',
  })
  expect(asked.getAll('state')).toHaveLength(1)
  expect(asked.get('state')).toMatch(/^[\w-]{43}$/)
  expect(header).toMatch(/HttpOnly/i)
  expect(header).toMatch(/SameSite=Lax/i)
  const reply = await scenario(mill, { when: () => back(issuer.agree(url), cookie), status: 303, events: ['integrations.connected'] })
  expect(reply.headers.get('location')).toBe(`${mill.url}/settings#connected=${id}`)
  expect((await anna.call('GET', `${path}/${id}`)).body).toMatchObject({ connected: true, health: { status: 'ok' } })
  const execution = await run(await fetching(id))
  expect(execution).toMatchObject({ status: 'succeeded', output: { body: { saw: expect.stringContaining('[redacted]') } } })
  expect(issuer.asked.at(-1)?.headers.authorization).toMatch(/^Bearer access-/)
  const kept = JSON.stringify([
    await mill.events(),
    await mill.database.owner`select * from integrations`,
    await mill.database.owner`select * from integration_consents`,
  ])
  expect(kept).not.toMatch(/access-|refresh-/)
  expect(kept).not.toContain(asked.get('state'))
})

test('a consent ends in the browser and the session that began it, once, and within ten minutes', async () => {
  const id = await connect()
  const refused = async (place: string, cookie: string): Promise<void> => {
    const { status, body } = await back(place, cookie)
    expect([status, body.code]).toEqual([400, 'integrations.consent_invalid'])
  }
  const first = await start(id)
  const another = await start(id)
  const place = issuer.agree(first.url)
  await refused(place, '')
  await refused(place, another.cookie)
  await refused(place.replace(/state=.{10}/, 'state=0123456789'), first.cookie)
  expect((await back(place, first.cookie)).status).toBe(303)
  await refused(place, first.cookie)
  expect(issuer.granted).toEqual(['authorization_code'])

  const late = await start(id)
  clock.advance(601_000)
  await refused(issuer.agree(late.url), late.cookie)

  const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: anna.email, password: anna.password } })
  anna = { ...anna, access_token: body.access_token, call: mill.as(body) }
  const left = await start(id)
  expect((await anna.call('POST', '/api/v1/auth/logout')).status).toBeLessThan(300)
  await refused(issuer.agree(left.url), left.cookie)
})

test('what the service refuses, and what was changed meanwhile, leads back with the name of the error', async () => {
  const id = await connect()
  const denied = await start(id)
  const state = new URL(denied.url).searchParams.get('state') ?? ''
  const no = await back(`/api/v1/integrations/oauth/callback?error=access_denied&state=${state}`, denied.cookie)
  expect(no.headers.get('location')).toContain('/settings#error=integrations.consent_refused')
  const changed = await start(id)
  await anna.call('PUT', `${path}/${id}`, { body: { name: 'New' }, headers: { 'if-match': '"1"' } })
  expect((await back(issuer.agree(changed.url), changed.cookie)).headers.get('location')).toContain('#error=integrations.consent_outdated')
  const wrong = await start(id)
  expect((await back(issuer.agree(wrong.url).replace(/code=[^&]*/, 'code=guessed'), wrong.cookie)).headers.get('location')).toContain(
    '#error=integrations.consent_needed',
  )
  expect((await anna.call('GET', `${path}/${id}`)).body.connected).toBe(false)
})

test.each(['https://thief.example', '//thief.example', '/\\thief.example', 'javascript:alert(1)', '/a#b', '/a b', '/..//thief.example'])(
  'nobody is led to %s',
  async (redirect_to) => {
    const { status } = await anna.call('POST', `${path}/${await connect()}/oauth/start`, { body: { redirect_to } })
    expect(status).toBe(422)
  },
)

test('of many uses at once in two processes one renews the token, before it ends', async () => {
  const id = await agreed()
  const workflow_id = await fetching(id)
  clock.advance(3_550_000)
  const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: anna.email, password: anna.password } })
  anna = { ...anna, access_token: body.access_token, call: mill.as(body) }
  issuer.granted.splice(0)
  issuer.pause = () => new Promise((resolve) => void setTimeout(resolve, 300))
  const runs = await Promise.all(Array.from({ length: 50 }, (_, n) => run(workflow_id, n % 2 === 0 ? mill : other)))
  expect(runs.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 'succeeded'))
  expect(issuer.granted).toEqual(['refresh_token'])
  expect(issuer.good.size).toBeGreaterThan(0)
  clock.advance(3_600_000)
  const again = await mill.call('POST', '/api/v1/auth/login', { body: { email: anna.email, password: anna.password } })
  anna = { ...anna, access_token: again.body.access_token, call: mill.as(again.body) }
  expect((await run(workflow_id)).status).toBe('succeeded')
})

test('a consent that the service takes back is told once, and a service that is away is not taken for it', async () => {
  const id = await agreed({ client_auth: 'basic' })
  const workflow_id = await fetching(id)
  clock.advance(3_600_000)
  const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: anna.email, password: anna.password } })
  anna = { ...anna, access_token: body.access_token, call: mill.as(body) }
  issuer.trouble = { status: 503 }
  expect(await run(workflow_id)).toMatchObject({ status: 'failed', error: { code: 'integrations.no_token' } })
  expect((await anna.call('GET', `${path}/${id}`)).body.health.status).toBe('ok')
  issuer.trouble = null
  issuer.good.clear()
  for (let count = 0; count < 2; count += 1) {
    expect(await run(workflow_id)).toMatchObject({ status: 'failed', error: { code: 'integrations.consent_needed' } })
  }
  expect((await anna.call('GET', `${path}/${id}`)).body.health).toMatchObject({
    status: 'failing',
    error: expect.stringContaining('invalid_grant'),
  })
  const told = (await mill.events()).filter(
    ({ name, data }) => name === 'integrations.failed' && (data as { integration_id: string }).integration_id === id,
  )
  expect(told).toHaveLength(1)
  const { url, cookie } = await start(id)
  await back(issuer.agree(url), cookie)
  expect((await run(workflow_id)).status).toBe('succeeded')
})

test('a client that stands for itself gets its token when it is first needed', async () => {
  const id = await connect({ grant: 'client_credentials', authorization_url: undefined, test_url: `${issuer.url}/me` })
  expect((await anna.call('GET', `${path}/${id}`)).body.connected).toBeNull()
  const tested = await anna.call('POST', `${path}/${id}/test`)
  expect(tested.body).toMatchObject({ status: 'ok' })
  expect(await run(await fetching(id))).toMatchObject({ status: 'succeeded' })
  expect(issuer.granted).toEqual(['client_credentials'])
  expect((await anna.call('POST', `${path}/${id}/oauth/start`, { body: {} })).body.code).toBe('integrations.not_usable')
})

test('a change of where tokens go needs the secret, and drops them', async () => {
  const id = await agreed()
  const { config } = (await anna.call('GET', `${path}/${id}`)).body
  const put = (body: object, revision: number) => anna.call('PUT', `${path}/${id}`, { body, headers: { 'if-match': `"${revision}"` } })
  expect((await put({ config: { ...config, token_url: 'https://thief.example/token' } }, 1)).body.code).toBe(
    'integrations.credentials_required',
  )
  expect((await put({ config: { ...config, allowed_hosts: ['thief.example'] } }, 1)).body.code).toBe('integrations.credentials_required')
  const changed = await put({ config: { ...config, scopes: ['read'] } }, 1)
  expect(changed.body).toMatchObject({ connected: false })
})
