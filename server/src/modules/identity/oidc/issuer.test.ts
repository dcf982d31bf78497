import { createHmac, createPublicKey } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { afterAll, afterEach, expect, test } from 'vitest'
import { testApp } from '../../../test-app.ts'
import { fine, makeKey, testIssuer, type Visit } from './issuer.testing.ts'
import { fragmentOf, newBrowser, visitor } from './stage.testing.ts'

const forge = await testIssuer('mill')
const rogue = await testIssuer('mill')
const late = await testIssuer('mill')
const client = { client_id: 'mill', client_secret: 'a-secret-of-the-client-for-the-test' }
const mill = await testApp({
  env: {
    MILLRACE_OIDC_PROVIDERS: JSON.stringify([
      { name: 'forge', issuer: forge.issuer, ...client },
      { name: 'rogue', issuer: rogue.issuer, ...client },
      { name: 'late', issuer: late.issuer, ...client },
    ]),
  },
})
afterAll(async () => {
  await mill.close()
  for (const issuer of [forge, rogue, late]) await issuer.close()
})

const fresh = { idToken: forge.idToken, answer: forge.answer, keys: forge.keys, metadata: {}, weather: fine }
const victim = { sub: 'the-victim', email: 'victim@example.org', email_verified: true }
afterEach(() => Object.assign(forge, fresh, { person: victim }))
forge.person = victim

const at = visitor(mill, 'forge')
await at.signIn()
const usersNow = async (): Promise<number> => (await mill.database.owner`select count(*)::int as n from users`)[0]?.['n'] as number

/** Goes through a sign-in that must fail, and answers the error that the browser brings home. */
const failure = async (via = at): Promise<string | undefined> => {
  const [before, events] = [await usersNow(), (await mill.events()).length]
  const page = await via.comeBack(newBrowser())
  const { code, error } = fragmentOf(page.location)
  expect(code).toBeUndefined()
  expect([await usersNow(), (await mill.events()).length]).toEqual([before, events])
  return error
}

const claimsThat = (change: JWTPayload) => (visit: Visit) => forge.sign({ ...forge.claims(visit), ...change })
const without = (name: string) => (visit: Visit) => {
  const { [name]: _gone, ...rest } = forge.claims(visit)
  return forge.sign(rest)
}
const unsigned = (header: object, claims: JWTPayload): string =>
  [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
const seconds = (offset: number): number => Math.floor(Date.now() / 1000) + offset
const key = forge.keys[0] as (typeof forge.keys)[number]
const stolen = await makeKey('first')

test.each<[string, (visit: Visit) => Promise<string> | string]>([
  ['of another issuer', claimsThat({ iss: 'https://issuer.example' })],
  ['of an issuer that is written another way', claimsThat({ iss: `${forge.issuer}/` })],
  ['for another client', claimsThat({ aud: 'another' })],
  ['for another client among several', claimsThat({ aud: ['another', 'one-more'] })],
  ['for several clients, made for another', claimsThat({ aud: ['mill', 'another'], azp: 'another' })],
  ['made for another client', claimsThat({ azp: 'another' })],
  ['with the nonce of another sign-in', claimsThat({ nonce: 'another' })],
  ['without a nonce', without('nonce')],
  ['that has expired', claimsThat({ exp: seconds(-3600) })],
  ['without an end', without('exp')],
  ['without a subject', without('sub')],
  ['with an empty subject', claimsThat({ sub: '' })],
  ['with a subject that is a number', claimsThat({ sub: 7 as unknown as string })],
  ['with a subject of 256 characters', claimsThat({ sub: 'x'.repeat(256) })],
  ['with a subject that holds a zero byte', claimsThat({ sub: 'a\u0000b' })],
  ['without an issuer', without('iss')],
  ['without an audience', without('aud')],
  ['that is not valid yet', claimsThat({ nbf: seconds(3600) })],
  ['with an algorithm of none', (visit) => `${unsigned({ alg: 'none' }, forge.claims(visit))}.`],
  ['with an algorithm of None and a signature', (visit) => `${unsigned({ alg: 'None', kid: key.kid }, forge.claims(visit))}.AAAA`],
  [
    'signed with HMAC under the public key',
    (visit) => {
      const text = unsigned({ alg: 'HS256', kid: key.kid }, forge.claims(visit))
      const pem = createPublicKey({ key: key.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
    },
  ],
  [
    'signed with HMAC under the secret of the client',
    (visit) => {
      const text = unsigned({ alg: 'HS256' }, forge.claims(visit))
      return `${text}.${createHmac('sha256', client.client_secret).update(text).digest('base64url')}`
    },
  ],
  ['signed with another key under the name of the published one', (visit) => forge.sign(forge.claims(visit), { key: stolen })],
  ['signed with a key that it brings itself', (visit) => forge.sign(forge.claims(visit), { key: stolen, header: { jwk: stolen.jwk } })],
  [
    'signed with a key that is to be fetched elsewhere',
    (visit) => forge.sign(forge.claims(visit), { key: stolen, header: { jku: `${rogue.issuer}/jwks` } }),
  ],
  ['whose signature was cut off', async (visit) => `${(await forge.sign(forge.claims(visit))).split('.').slice(0, 2).join('.')}.`],
  ['that is no token', () => 'not.a.token'],
])('an ID token %s signs nobody in', async (_what, idToken) => {
  forge.idToken = idToken
  expect(await failure()).toBe('auth.provider_failed')
})

test('an issuer cannot speak for another, whatever it says of a person', async () => {
  rogue.person = victim
  // Its own token, in the name of the other.
  rogue.idToken = (visit) => rogue.sign({ ...rogue.claims(visit), iss: forge.issuer })
  expect(await failure(visitor(mill, 'rogue'))).toBe('auth.provider_failed')
  // A token that the other has really made for this client.
  rogue.idToken = (visit) => forge.sign(forge.claims(visit))
  expect(await failure(visitor(mill, 'rogue'))).toBe('auth.provider_failed')
  // The same subject is somebody else there.
  rogue.person = { sub: victim.sub, email: 'other@example.org', email_verified: true }
  rogue.idToken = (visit) => rogue.sign(rogue.claims(visit))
  const { body } = await visitor(mill, 'rogue').signIn()
  expect(body.user.email).toBe('other@example.org')
})

test('a provider that names itself in its answer has to be the one that was asked', async () => {
  forge.metadata = { authorization_response_iss_parameter_supported: true }
  const second = await testApp({
    beside: mill,
    env: { MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'forge', issuer: forge.issuer, ...client }]) },
  })
  try {
    const via = visitor(second, 'forge')
    expect(await failure(via)).toBe('auth.provider_failed')
    forge.answer = ({ code }) => ({ code, iss: rogue.issuer })
    expect(await failure(via)).toBe('auth.provider_failed')
    forge.answer = ({ code }) => ({ code, iss: forge.issuer })
    expect(await via.signIn()).toMatchObject({ status: 200 })
  } finally {
    await second.close()
  }
})

test('the code of another client, or one made up, is refused by the provider', async () => {
  forge.answer = () => ({ code: 'made-up' })
  expect(await failure()).toBe('auth.provider_failed')
})

test('a key that the provider rotated to a moment ago is good, and the one before it no more', async () => {
  const before = await at.signIn()
  expect(before.status).toBe(200)
  const next = await makeKey('second', 'ES256')
  forge.keys = [next]
  forge.idToken = (visit) => forge.sign(forge.claims(visit), { key: next })
  forge.metadata = { id_token_signing_alg_values_supported: ['RS256', 'ES256'] }
  // What it says of itself is kept for an hour, so the algorithm has to be one that it named before.
  const again = await makeKey('third')
  forge.keys = [again]
  forge.idToken = (visit) => forge.sign(forge.claims(visit), { key: again })
  expect((await at.signIn()).body.user.id).toBe(before.body.user.id)
  forge.idToken = (visit) => forge.sign(forge.claims(visit), { key })
  expect(await failure()).toBe('auth.provider_failed')
})

test('an address that the ID token leaves out is asked for, and of nobody else', async () => {
  const { email: _email, ...nameless } = victim
  forge.person = { ...nameless, sub: 'asked' }
  forge.metadata = { userinfo_endpoint: `${forge.issuer}/userinfo` }
  let said: object = { sub: 'asked', email: 'asked@example.org', email_verified: true }
  forge.weather = (path, response) => {
    if (path !== '/userinfo') return false
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
    return true
  }
  const second = await testApp({
    beside: mill,
    env: { MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'forge', issuer: forge.issuer, ...client }]) },
  })
  try {
    expect((await visitor(second, 'forge').signIn()).body.user).toMatchObject({ email: 'asked@example.org', email_verified: true })
    forge.person = { sub: 'another' }
    expect(await failure(visitor(second, 'forge'))).toBe('auth.provider_failed')
    said = { sub: 'another' }
    expect(await failure(visitor(second, 'forge'))).toBe('auth.email_missing')
  } finally {
    await second.close()
  }
})

test('a provider that is down keeps nothing from starting, and is asked again once it is back', async () => {
  late.person = { sub: 'late', email: 'late@example.org', email_verified: true }
  const via = visitor(mill, 'late')
  const bad: (typeof late.weather)[] = [
    (_path, response) => Boolean(response.writeHead(503).end()),
    (_path, response) => Boolean(response.writeHead(200, { 'content-type': 'application/json' }).end('not json')),
    (_path, response) => Boolean(response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')),
    (_path, response) => Boolean(response.writeHead(302, { location: `${forge.issuer}/.well-known/openid-configuration` }).end()),
    (_path, response) =>
      Boolean(response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ issuer: forge.issuer }))),
    (_path, response) => Boolean(response.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(2_000_000))),
    (_path, response) => Boolean(response.destroy()),
  ]
  for (const weather of bad) {
    late.weather = weather
    expect(await via.start(newBrowser())).toMatchObject({ status: 503, body: { code: 'auth.provider_unavailable' } })
  }
  expect(await at.signIn()).toMatchObject({ status: 200 })
  late.weather = fine
  expect(await via.signIn()).toMatchObject({ status: 200 })
  const asked = late.asked.filter((path) => path.startsWith('/.well-known')).length
  await via.signIn()
  expect(late.asked.filter((path) => path.startsWith('/.well-known')).length).toBe(asked)
})

test.each<[string, (path: string) => boolean, number | null, string]>([
  ['the token endpoint fails', (path) => path === '/token', 500, 'auth.provider_unavailable'],
  ['the token endpoint breaks off', (path) => path === '/token', null, 'auth.provider_unavailable'],
  ['the token endpoint refuses', (path) => path === '/token', 401, 'auth.provider_failed'],
  ['the keys are not to be had', (path) => path === '/jwks', 502, 'auth.provider_unavailable'],
  ['the keys break off', (path) => path === '/jwks', null, 'auth.provider_unavailable'],
])('when %s, the browser is told and may begin anew', async (_what, hit, status, error) => {
  forge.weather = (path, response) => {
    if (!hit(path)) return false
    if (status === null) response.destroy()
    else response.writeHead(status, { 'content-type': 'application/json' }).end('{"error":"server_error"}')
    return true
  }
  expect(await failure()).toBe(error)
  forge.weather = fine
  expect(await at.signIn()).toMatchObject({ status: 200 })
})

test('a provider that hides behind an address inside is not called there', async () => {
  const inside = await testIssuer('mill')
  try {
    // Its own address was named by the operator; the one that it then names itself was not.
    late.metadata = { token_endpoint: `${inside.issuer}/token`, jwks_uri: `${inside.issuer}/jwks` }
    const second = await testApp({
      beside: mill,
      env: { MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'late', issuer: late.issuer, ...client }]) },
    })
    expect(await failure(visitor(second, 'late'))).toBe('auth.provider_unavailable')
    expect(inside.asked).toEqual([])
    await second.close()
  } finally {
    await inside.close()
  }
})
