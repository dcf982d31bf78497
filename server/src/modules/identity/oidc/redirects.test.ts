import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { testApp } from '../../../test-app.ts'
import { testIssuer } from './issuer.testing.ts'
import { returnAddress } from './return-address.ts'
import { newBrowser, visitor } from './stage.testing.ts'

const forge = await testIssuer('mill')
const client = { client_id: 'mill', client_secret: 'a-secret-of-the-client-for-the-test' }
const env = { MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'forge', issuer: forge.issuer, ...client }]) }
const mill = await testApp({ env: { ...env, MILLRACE_CORS_ORIGINS: 'https://app.example.org,http://localhost:5173' } })
const changed = await testApp({ env, beside: mill })
afterAll(async () => {
  await changed.close()
  await mill.close()
  await forge.close()
})

const own = 'https://mill.example'
const origins = ['https://app.example.org', 'http://localhost:5173']

/** What has been used elsewhere to lead people astray after a sign-in. */
const astray = [
  '//evil.example',
  '///evil.example',
  '////evil.example',
  '/\\evil.example',
  '\\/evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '\t//evil.example',
  ' //evil.example',
  ' https://evil.example',
  'https:evil.example',
  'https:/evil.example',
  'https:///evil.example',
  'https:\\\\evil.example',
  'HTTPS://EVIL.EXAMPLE',
  'http://evil.example',
  'ftp://mill.example',
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\nscript:alert(1)',
  '\u0000javascript:alert(1)',
  'javascript://mill.example/%0aalert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'blob:https://mill.example/x',
  'file:///etc/passwd',
  'https://mill.example@evil.example',
  'https://mill.example:443@evil.example',
  'https://evil.example@mill.example',
  'https://user:pass@mill.example/',
  'https://mill.example%40evil.example',
  'https://mill.example\\@evil.example',
  'https://mill.example\\.evil.example',
  'https://mill.example.evil.example',
  'https://evilmill.example',
  'https://evil.example/mill.example',
  'https://evil.example?mill.example',
  'https://evil.example#mill.example',
  'https://evil.example\\mill.example',
  'https://mill.example:8443/',
  'https://mill.example:80/',
  'http://mill.example/',
  'https://app.example.org:444/',
  'http://app.example.org/',
  'https://sub.app.example.org/',
  'https://app.example.org.evil.example/',
  'https://app.example.org%2eevil.example/',
  'http://localhost/',
  'http://localhost:5174/',
  'https://localhost:5173/',
  '/path#https://evil.example',
  '/..//evil.example',
  '/.//evil.example',
  '/a/..//evil.example',
  '/%2e//evil.example',
  'evil.example',
  './evil',
  '../evil',
  '?next=evil',
  '#evil',
  '',
  '/ /evil',
  '/\u00a0',
  '/\u2028',
  '/ünïcode',
  `/${'a'.repeat(2_000)}`,
]

test.each(astray)('a sign-in does not lead to %j', async (text) => {
  expect(returnAddress(text, own, origins)).toBeNull()
  const reply = await visitor(mill, 'forge').start(newBrowser(), { redirect_to: text })
  expect(reply).toMatchObject({ status: 422 })
  expect(['auth.redirect_refused', 'http.validation_failed']).toContain(reply.body.code)
})

test.each([
  ['/', 'https://mill.example/'],
  ['/in?a=1&b=https://evil.example', 'https://mill.example/in?a=1&b=https://evil.example'],
  ['/%2F%2Fevil.example', 'https://mill.example/%2F%2Fevil.example'],
  ['/@evil.example', 'https://mill.example/@evil.example'],
  ['/a/../b', 'https://mill.example/b'],
  ['https://mill.example/in', 'https://mill.example/in'],
  ['https://MILL.example:443/in', 'https://mill.example/in'],
  ['https://app.example.org/in', 'https://app.example.org/in'],
  ['http://localhost:5173', 'http://localhost:5173/'],
])('a sign-in leads to %s', (text, address) => {
  expect(returnAddress(text, own, origins)).toBe(address)
})

test('whatever is asked for, a sign-in leads to the installation or an allowed origin, and no further by itself', () => {
  const piece = fc.constantFrom(
    '/',
    '\\',
    '//',
    '@',
    ':',
    '.',
    '%2f',
    '%5c',
    '\t',
    '\n',
    '?',
    '#',
    'https:',
    'http://',
    'javascript:',
    'evil.example',
    'mill.example',
    'app.example.org',
    'localhost:5173',
    '443',
    'a',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const address = returnAddress(pieces.join(''), own, origins)
      if (address === null) return
      const url = new URL(address)
      expect([own, ...origins]).toContain(url.origin)
      expect(url.hash + url.username + url.password).toBe('')
      expect(url.pathname.startsWith('//')).toBe(false)
    }),
    { numRuns: 3_000 },
  )
})

test('an origin that was taken off the list meanwhile is not gone to at the end', async () => {
  forge.person = { sub: 'a', email: 'a@example.org', email_verified: true }
  const browser = newBrowser()
  const back = new URL(await visitor(mill, 'forge').goThere(browser, { redirect_to: 'https://app.example.org/in' }))
  browser.plant(changed.url, 'millrace_oidc', browser.cookie(mill.url, 'millrace_oidc') as string)
  const page = await browser.visit(`${changed.url}${back.pathname}${back.search}`)
  expect(page.status).toBe(422)
  expect(JSON.parse(page.text)).toMatchObject({ code: 'auth.redirect_refused' })
  expect(page.location).toBeNull()
  const [row] = await mill.database.owner`select count(*)::int as n from identities`
  expect(row?.['n']).toBe(0)
})

test('what a request says of where it came to changes nothing of where the provider sends back', async () => {
  const browser = newBrowser()
  const headers = {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    forwarded: 'host=evil.example',
    origin: 'https://app.example.org',
  }
  const { body } = await browser.post(`${mill.url}/api/v1/auth/oidc/forge`, {}, headers)
  expect(new URL(body.authorization_url).searchParams.get('redirect_uri')).toBe(`${mill.url}/api/v1/auth/oidc/forge/callback`)
})
