import { createHmac, createPublicKey, randomUUID } from 'node:crypto'
import { SignJWT, type JWTPayload } from 'jose'
import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp, type TestApp, type TestReply } from '../../../test-app.ts'
import { fine, makeKey, testIssuer, type Key } from '../oidc/issuer.testing.ts'

const secret = 'the-jwt-secret-of-a-supabase-project-for-tests'
const forge = await testIssuer('nobody')
const clock = manualClock(Date.now())
const env = {
  SUPABASE_JWT_SECRET: secret,
  MILLRACE_EXTERNAL_JWKS_URL: `${forge.issuer}/jwks`,
  MILLRACE_EXTERNAL_ISSUER: forge.issuer,
  MILLRACE_EXTERNAL_AUDIENCE: 'https://api.mill.example',
}
const mill = await testApp({ clock, env })
const second = await testApp({ clock, env, beside: mill })
afterAll(async () => {
  await second.close()
  await mill.close()
  await forge.close()
})

const seconds = (offset = 0): number => Math.floor(clock.now() / 1000) + offset
let number = 0
const person = (more: JWTPayload = {}): JWTPayload => {
  const sub = `user-${(number += 1)}`
  return { sub, email: `${sub}@example.org`, email_verified: true, iat: seconds(), exp: seconds(600), ...more }
}
const supabase = (claims: JWTPayload, header: object = {}, key = secret) =>
  new SignJWT({ aud: 'authenticated', role: 'authenticated', ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', ...header })
    .sign(Buffer.from(key))
const published = (claims: JWTPayload, more: { readonly key?: Key; readonly header?: object } = {}) =>
  forge.sign({ iss: forge.issuer, aud: env.MILLRACE_EXTERNAL_AUDIENCE, ...claims }, more)

const me = (token: string, at: TestApp = mill, headers: { [name: string]: string } = {}): Promise<TestReply> =>
  at.call('GET', '/api/v1/auth/me', { headers: { authorization: `Bearer ${token}`, ...headers } })

test.each([
  ['of a Supabase project', supabase],
  ['of an issuer that publishes its keys', published],
])('a user %s has an account from the first request on', async (_what, sign) => {
  const claims = person({ name: 'Thandi' })
  const token = await sign(claims)
  const reply = await scenario(mill, {
    when: () => me(token),
    status: 200,
    body: { email: claims['email'], name: 'Thandi', email_verified: true, role: 'user' },
    events: ['users.registered', 'workspaces.created', 'workspaces.member.added', 'identity.email.verified', 'identity.identity.linked'],
  })
  await scenario(mill, { when: () => me(token), status: 200, body: { id: reply.body.id }, events: [] })
  expect((await me(await sign({ ...claims, iat: seconds(-5) }))).body.id).toBe(reply.body.id)
  expect(await mill.call('GET', '/api/v1/auth/verify', { headers: { authorization: `Bearer ${token}` } })).toMatchObject({
    status: 200,
    body: { valid: true, user_id: reply.body.id, session_id: null },
  })
})

test('of forty first requests at once one makes the account, here and on a second process', async () => {
  const token = await supabase(person())
  const replies = await Promise.all(Array.from({ length: 40 }, (_, index) => me(token, index % 2 === 0 ? mill : second)))
  expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200))
  expect(new Set(replies.map(({ body }) => body.id)).size).toBe(1)
})

const unsigned = (header: object, claims: object): string =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
const good = () => ({ iss: forge.issuer, aud: env.MILLRACE_EXTERNAL_AUDIENCE, ...person() })
const key = forge.keys[0] as Key
const stolen = await makeKey('first')
const other = await testIssuer('nobody')
afterAll(other.close)

test.each<[string, () => Promise<string> | string]>([
  ['under another secret', () => supabase(person(), {}, `${secret}x`)],
  ['for another audience of the project', () => supabase(person({ aud: 'anon' }))],
  ['without an audience', () => new SignJWT(person()).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret))],
  ['of nobody, as the keys of a project are', () => supabase({ role: 'service_role', exp: seconds(600) })],
  ['without an end', () => supabase({ sub: randomUUID(), email: 'endless@example.org', email_verified: true })],
  ['that ends with a word', () => supabase(person({ exp: 'never' as unknown as number }))],
  ['that is not valid yet', () => supabase(person({ nbf: seconds(120) }))],
  ['from the future', () => supabase(person({ iat: seconds(3600) }))],
  [
    'signed with HS512',
    async () => new SignJWT({ aud: 'authenticated', ...person() }).setProtectedHeader({ alg: 'HS512' }).sign(Buffer.from(secret)),
  ],
  ['of the secret in the name of the other issuer', () => supabase(person({ iss: forge.issuer, aud: env.MILLRACE_EXTERNAL_AUDIENCE }))],
  ['with alg none', () => `${unsigned({ alg: 'none', typ: 'JWT' }, { aud: 'authenticated', ...person() })}.`],
  ['with alg none, of the other issuer', () => `${unsigned({ alg: 'none' }, good())}.`],
  ['with alg nOnE and a signature', () => `${unsigned({ alg: 'nOnE', kid: key.kid }, good())}.AAAA`],
  ['without its signature', async () => `${(await published(person())).split('.').slice(0, 2).join('.')}.`],
  [
    'signed with HMAC under the public key',
    () => {
      const text = unsigned({ alg: 'HS256', kid: key.kid, typ: 'JWT' }, good())
      const pem = createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
    },
  ],
  ['of another audience', () => published(person({ aud: 'https://api.other.example' }))],
  ['of no audience', () => published(person({ aud: undefined as unknown as string }))],
  ['of another issuer with keys of its own', async () => other.sign({ ...good(), iss: other.issuer })],
  ['of another issuer in the name of this one', async () => other.sign(good())],
  ['signed with another key under the name of the published one', () => published(person(), { key: stolen })],
  ['signed with a key that it brings itself', () => published(person(), { key: stolen, header: { jwk: stolen.jwk } })],
  [
    'signed with a key to be fetched elsewhere',
    () => published(person(), { key: stolen, header: { jku: `${other.issuer}/jwks`, kid: 'elsewhere' } }),
  ],
  ['signed with a certificate to be fetched elsewhere', () => published(person(), { key: stolen, header: { x5u: `${other.issuer}/x` } })],
  [
    'that asks for an extension',
    async () => {
      const text = unsigned({ alg: 'RS256', kid: key.kid, crit: ['exp2'], exp2: 1 }, good())
      return `${text}.${Buffer.from(await crypto.subtle.sign('RSASSA-PKCS1-v1_5', key.private as never, Buffer.from(text))).toString('base64url')}`
    },
  ],
  ['that is an ID token', () => published(person({ at_hash: 'x' }))],
  ['that is an ID token of Cognito', () => published(person({ token_use: 'id' }))],
  ['that is a refresh token of Keycloak', () => published(person({ typ: 'Refresh' }))],
  ['that is a logout token', () => published(person({ events: {} }), { header: { typ: 'logout+jwt' } })],
  ['of a type unheard of', () => published(person(), { header: { typ: 'dpop+jwt' } })],
  ['without a subject', () => published({ exp: seconds(600) })],
  ['with a subject that is a number', () => published(person({ sub: 7 as unknown as string }))],
  ['with a subject of 256 characters', () => published(person({ sub: 'x'.repeat(256) }))],
  ['with a subject that holds a zero byte', () => published(person({ sub: 'a\u0000b' }))],
  ['with a subject on two lines', () => published(person({ sub: `a\n${forge.issuer}` }))],
  ['too long to be one', () => published(person({ padding: 'x'.repeat(9_000) }))],
  ['whose payload is a list', () => `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.W10.AAAA`],
  ['whose parts are no JSON', () => 'a.b.c'],
])('a token %s is refused, and leaves no trace', async (_what, make) => {
  const token = await make()
  await scenario(mill, { when: () => me(token), status: 401, body: { code: 'auth.token_invalid' }, events: [] })
  expect(other.asked).toEqual([])
  expect((await me(token)).headers.get('www-authenticate')).toMatch(/^Bearer/)
})

test('a token is good until it ends', async () => {
  const claims = person()
  const token = await published(claims)
  expect(await me(token)).toMatchObject({ status: 200 })
  clock.advance((claims.exp as number) * 1000 - clock.now() - 1)
  expect(await me(token)).toMatchObject({ status: 200 })
  clock.advance(1)
  expect(await me(token)).toMatchObject({ status: 401, body: { code: 'auth.token_expired' } })
})

test('a key that the issuer rotated to is found, and unknown ones lead to few requests', async () => {
  expect(await me(await published(person()))).toMatchObject({ status: 200 })
  clock.advance(30_000)
  const next = await makeKey('next', 'ES256')
  forge.keys = [...forge.keys, next]
  const token = await published(person(), { key: next })
  const asked = () => forge.asked.filter((path) => path === '/jwks').length
  const before = asked()
  const replies = await Promise.all(Array.from({ length: 20 }, () => me(token)))
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
  expect(asked()).toBe(before + 1)
  const unknown = await makeKey('made-up')
  for (let n = 0; n < 20; n += 1) expect(await me(await published(person(), { key: unknown }))).toMatchObject({ status: 401 })
  expect(asked()).toBe(before + 1)
  // What was taken back is bad ten minutes later, and the request that finds out makes no other one wait.
  forge.keys = [next]
  clock.advance(600_000)
  expect(await me(await published(person(), { key: next }))).toMatchObject({ status: 200 })
  await expect.poll(asked).toBe(before + 2)
  await expect.poll(async () => (await me(await published(person(), { key }))).status).toBe(401)
  forge.keys = [key]
  clock.advance(30_000)
})

test('an issuer that is down stops nobody for a day, and those it never knew not at all', async () => {
  const claims = person()
  expect(await me(await published(claims))).toMatchObject({ status: 200 })
  const cold = await testApp({ clock, env, beside: mill })
  try {
    forge.weather = (_path, response) => Boolean(response.writeHead(503).end())
    clock.advance(3_600_000)
    expect(await me(await published({ ...claims, iat: seconds(), exp: seconds(60) }))).toMatchObject({ status: 200 })
    const fresh = await published({ ...claims, iat: seconds(), exp: seconds(60) })
    expect(await me(fresh, cold)).toMatchObject({ status: 503, body: { code: 'auth.issuer_unavailable' } })
    expect(await me(await supabase(person()), cold)).toMatchObject({ status: 200 })
    clock.advance(82_800_000)
    const late = await published({ ...claims, iat: seconds(), exp: seconds(60) })
    expect(await me(late)).toMatchObject({ status: 503, body: { code: 'auth.issuer_unavailable' } })
    forge.weather = fine
    clock.advance(5_000)
    expect(await me(late)).toMatchObject({ status: 200 })
    expect(await me(late, cold)).toMatchObject({ status: 200 })
  } finally {
    forge.weather = fine
    await cold.close()
  }
})

test.each([
  ['a page', (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
  ['a list that is none', (response) => response.writeHead(200).end('{"keys":7}')],
  ['more than anybody’s keys', (response) => response.writeHead(200).end(`{"keys":[],"x":"${'x'.repeat(300_000)}"}`)],
  ['a way elsewhere', (response) => response.writeHead(302, { location: `${other.issuer}/jwks` }).end()],
  ['a connection that breaks', (response) => response.destroy()],
] satisfies [string, (response: Parameters<typeof forge.weather>[1]) => unknown][])(
  'an issuer that answers %s has no keys',
  async (_what, answer) => {
    const cold = await testApp({ clock, env, beside: mill })
    try {
      forge.weather = (_path, response) => Boolean(answer(response) ?? true)
      expect(await me(await published(person()), cold)).toMatchObject({ status: 503, body: { code: 'auth.issuer_unavailable' } })
    } finally {
      forge.weather = fine
      await cold.close()
    }
  },
)

test('an account that is switched off is refused at once, here and within a second elsewhere', async () => {
  const admin = await mill.admin()
  const token = await published(person())
  const { body: user } = await me(token)
  expect(await me(token, second)).toMatchObject({ status: 200 })
  const off = await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/status`, { body: { is_active: false } })
  expect(off.status).toBe(200)
  expect(await me(token)).toMatchObject({ status: 403, body: { code: 'auth.account_inactive' } })
  await expect.poll(async () => (await me(token, second)).status, { timeout: 1_000, interval: 10 }).toBe(403)
})

test('an identity that was unlinked does not act as the account any more', async () => {
  const user = await mill.register()
  const token = await published({ sub: `linked-${number}`, iat: seconds(), exp: seconds(600) })
  expect(await me(token)).toMatchObject({ status: 422, body: { code: 'auth.email_missing' } })
  const link = (body: object) => user.call('POST', '/api/v1/auth/identities', { body })
  expect(await link({ token })).toMatchObject({ status: 403, body: { code: 'auth.reauthentication_required' } })
  expect(await link({ token: `${token}x`, password: user.password })).toMatchObject({
    status: 422,
    body: { code: 'auth.external_token_invalid' },
  })
  expect(await link({ token: user.access_token, password: user.password })).toMatchObject({ status: 422 })
  expect(await link({ token, password: user.password })).toMatchObject({ status: 201 })
  expect((await me(token)).body.id).toBe(user.id)
  expect((await me(token, second)).body.id).toBe(user.id)
  const { items } = (await user.call('GET', '/api/v1/auth/identities')).body
  expect(items).toMatchObject([{ provider: null, issuer: forge.issuer }])
  await user.call('DELETE', `/api/v1/auth/identities/${items[0].id}`, { body: { password: user.password } })
  expect(await me(token)).toMatchObject({ status: 422 })
  await expect.poll(async () => (await me(token, second)).status, { timeout: 1_000, interval: 10 }).toBe(422)
})

test('an address that is not vouched for leads to no account that is there', async () => {
  const user = await mill.register()
  for (const email_verified of [false, 'true', undefined]) {
    const claims = { ...person(), email: user.email, email_verified, user_metadata: { email_verified: true } }
    expect(await me(await supabase(claims as JWTPayload))).toMatchObject({ status: 409, body: { code: 'auth.email_taken' } })
  }
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  // Vouched for, it is the owner's, and whoever made the account beforehand is out.
  const { body } = await me(await supabase({ ...person(), email: user.email }))
  expect(body.id).toBe(user.id)
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401 })
})

test('the same subject of two issuers is two people', async () => {
  const claims = person()
  const one = await me(await supabase(claims))
  const two = await me(await published({ ...claims, email: `other-${String(claims['email'])}` }))
  expect([one.status, two.status]).toEqual([200, 200])
  expect(two.body.id).not.toBe(one.body.id)
})

test('who holds the secret of the project cannot pose as somebody of another issuer', async () => {
  const claims = person()
  const victim = await me(await published(claims))
  const posing = await me(await supabase({ ...claims, iss: forge.issuer, email: 'thief@example.org' }))
  expect(posing.status).toBe(200)
  expect(posing.body.id).not.toBe(victim.body.id)
})

test('a token of another issuer does what its user may do, but cannot take the account over', async () => {
  const token = await published(person())
  const call = mill.as({ access_token: token })
  expect(await call('PUT', '/api/v1/users/profile', { body: { name: 'New' } })).toMatchObject({ status: 200 })
  for (const [method, path, body] of [
    ['GET', '/api/v1/auth/identities', undefined],
    ['POST', '/api/v1/auth/identities', { token }],
    ['POST', '/api/v1/auth/logout', undefined],
    ['GET', '/api/v1/auth/mfa', undefined],
  ] as const) {
    expect(await call(method, path, body === undefined ? {} : { body })).toMatchObject({ status: 403, body: { code: 'http.forbidden' } })
  }
  const stranger = await mill.register()
  expect(await me(token, mill, { 'x-workspace-id': stranger.workspace_id })).toMatchObject({
    status: 404,
    body: { code: 'workspaces.not_found' },
  })
  const mine = (await me(token)).body
  expect(await me(token, mill, { 'x-workspace-id': mine.workspace_id.toUpperCase() })).toMatchObject({ status: 200 })
})

test('where everybody is asked for a second factor, a token of another issuer is no way around it', async () => {
  const strict = await testApp({ clock, env: { ...env, MILLRACE_REQUIRE_MFA: 'everyone' }, beside: mill })
  try {
    const token = await published(person())
    expect(await me(token, strict)).toMatchObject({ status: 200 })
    const list = (at: TestApp) => at.as({ access_token: token })('GET', '/api/v1/workflows')
    expect(await list(strict)).toMatchObject({ status: 403, body: { code: 'http.mfa_enrolment_required' } })
    expect(await list(mill)).toMatchObject({ status: 200 })
  } finally {
    await strict.close()
  }
})

test('without the settings such tokens are nothing', async () => {
  const closed = await testApp({ clock, beside: mill })
  try {
    for (const token of [await supabase(person()), await published(person())])
      expect(await me(token, closed)).toMatchObject({ status: 401, body: { code: 'auth.token_invalid' } })
  } finally {
    await closed.close()
  }
})

test('with SUPABASE_URL a token has to name the project', async () => {
  const named = await testApp({ clock, env: { ...env, SUPABASE_URL: 'https://abc.supabase.co/' }, beside: mill })
  try {
    const claims = person()
    expect(await me(await supabase({ ...claims, iss: 'https://xyz.supabase.co/auth/v1' }), named)).toMatchObject({ status: 401 })
    expect(await me(await supabase(claims), named)).toMatchObject({ status: 401 })
    expect(await me(await supabase({ ...claims, iss: 'https://abc.supabase.co/auth/v1' }), named)).toMatchObject({ status: 200 })
  } finally {
    await named.close()
  }
})
