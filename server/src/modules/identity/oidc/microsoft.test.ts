import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeEach, expect, test } from 'vitest'
import pino from 'pino'
import type { App } from '../../../platform/context.ts'
import { createOutbound } from '../../../platform/outbound/outbound.ts'
import { gitHubProvider } from './github.ts'
import { type Fetch, guardedFetch } from './guarded-fetch.ts'
import { testIssuer, type Visit } from './issuer.testing.ts'
import { openIdProvider } from './openid.ts'
import type { Asserted, Provider } from './provider.ts'
import { parseProviders, type ProviderConfig } from './provider-config.ts'

const forge = await testIssuer('mill')
const outbound = createOutbound({ allow: [new URL(forge.issuer).host] })
afterAll(async () => {
  await outbound.close()
  await forge.close()
})

const real = 'https://login.microsoftonline.com'
/** The same paths, at another place. */
const moved: Fetch = (url, options) => guardedFetch(outbound)(url.replace(real, forge.issuer), options)
const app = { log: pino({ level: 'silent' }) } as unknown as App
const providerOf = (entry: object, fetch: Fetch = moved): Provider =>
  openIdProvider(app, parseProviders(JSON.stringify([{ client_id: 'mill', client_secret: 'x', ...entry }]))[0] as ProviderConfig, fetch)

const redirect_uri = 'https://mill.example/api/v1/auth/oidc/microsoft/callback'
const visit = async (provider: Provider): Promise<Asserted> => {
  const random = (): string => randomBytes(32).toString('base64url')
  const secrets = { state: random(), nonce: random(), verifier: random() }
  const url = await provider.authorizationUrl(secrets, redirect_uri)
  const { headers } = await fetch(url.href.replace(real, forge.issuer), { redirect: 'manual' })
  return provider.identify(secrets, redirect_uri, new URL(headers.get('location') ?? '').searchParams)
}

const tenant = randomUUID()
const issuerOf = (tid: unknown): string => `${real}/${String(tid)}/v2.0`
const claimsOf = (seen: Visit, more: object) => ({ ...forge.claims(seen), iss: issuerOf(tenant), tid: tenant, ...more })
beforeEach(() => {
  forge.person = { sub: 'pairwise', email: 'admin@contoso.example', name: 'Adele' }
  forge.metadata = {
    issuer: issuerOf('{tenantid}'),
    authorization_endpoint: `${real}/authorize`,
    token_endpoint: `${real}/token`,
    jwks_uri: `${real}/jwks`,
  }
  forge.idToken = (seen) => forge.sign(claimsOf(seen, {}))
  forge.weather = (path, response) => {
    if (!path.endsWith('/v2.0/.well-known/openid-configuration')) return false
    const issuer = path.startsWith('/common/') ? issuerOf('{tenantid}') : issuerOf(path.split('/')[1])
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...forge.metadata, issuer }))
    return true
  }
})

test('a user of any tenant of Microsoft is known by that tenant, and an address that anybody could have set is not believed', async () => {
  expect(await visit(providerOf({ name: 'microsoft' }))).toEqual({
    issuer: issuerOf(tenant),
    subject: 'pairwise',
    email: 'admin@contoso.example',
    email_verified: false,
    name: 'Adele',
  })
})

test.each<[string, object]>([
  ['of one tenant in the name of another', { iss: issuerOf(randomUUID()) }],
  ['of no tenant', { tid: undefined, iss: issuerOf('undefined') }],
  ['of a tenant that is none', { tid: 'common', iss: issuerOf('common') }],
  ['of the template itself', { tid: '{tenantid}', iss: issuerOf('{tenantid}') }],
  ['of a tenant that is a path', { tid: `${tenant}/x`, iss: issuerOf(`${tenant}/x`) }],
  ['of another issuer', { iss: `https://evil.example/${tenant}/v2.0` }],
])('a token %s signs nobody in', async (_what, change) => {
  forge.idToken = (seen) => forge.sign(claimsOf(seen, change))
  await expect(visit(providerOf({ name: 'microsoft' }))).rejects.toMatchObject({ code: 'auth.provider_failed' })
})

test('with a tenant of one’s own the others are strangers', async () => {
  const provider = providerOf({ name: 'microsoft', tenant })
  expect(await visit(provider)).toMatchObject({ issuer: issuerOf(tenant) })
  const other = randomUUID()
  forge.idToken = (seen) => forge.sign(claimsOf(seen, { tid: other, iss: issuerOf(other) }))
  await expect(visit(provider)).rejects.toMatchObject({ code: 'auth.provider_failed' })
})

test('a provider that takes its time is given up', async () => {
  const impatient: Fetch = (url, options) => guardedFetch(outbound, 100)(url.replace(real, forge.issuer), options)
  const metadata = forge.weather
  forge.weather = (path, response) => path === '/token' || metadata(path, response)
  await expect(visit(providerOf({ name: 'microsoft' }, impatient))).rejects.toMatchObject({ code: 'auth.provider_unavailable' })
  forge.weather = () => true
  await expect(visit(providerOf({ name: 'microsoft' }, impatient))).rejects.toMatchObject({ code: 'auth.provider_unavailable' })
  const [config] = parseProviders(JSON.stringify([{ name: 'github', issuer: forge.issuer, client_id: 'a', client_secret: 'b' }]))
  const secrets = { state: 's', nonce: 'n', verifier: 'v'.repeat(43) }
  const github = gitHubProvider(app, config as ProviderConfig, guardedFetch(outbound, 100))
  await expect(github.identify(secrets, redirect_uri, new URLSearchParams({ code: 'c', state: 's' }))).rejects.toMatchObject({
    code: 'auth.provider_unavailable',
  })
})
