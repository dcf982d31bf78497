import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { type Browser, passProvider, testBrowser } from './browser.testing.ts'
import { testProvider } from './provider.testing.ts'

const client = { client_id: 'mill', client_secret: 'a-secret-of-the-client-for-the-test' }
const provider = await testProvider()

const clock = manualClock(Date.now())
const mill = await testApp({
  clock,
  env: {
    MILLRACE_CORS_ORIGINS: 'https://app.example.org',
    MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'acme', label: 'Acme', issuer: provider.issuer, ...client }]),
  },
})
provider.open([{ ...client, redirect_uris: [`${mill.url}/api/v1/auth/oidc/acme/callback`] }])
afterAll(async () => {
  await mill.close()
  await provider.close()
})

let people = 0
let addresses = 0
const somebody = (claims: object = {}) => {
  const sub = `person-${(people += 1)}`
  const person = { sub, email: `${sub}@example.org`, email_verified: true, name: `Person ${people}`, ...claims }
  provider.people.set(sub, person)
  return person
}
const newBrowser = (): Browser => testBrowser({ 'x-forwarded-for': `198.19.${(addresses += 1) >> 8}.${addresses & 255}` })
const start = (browser: Browser, body: object = {}) => browser.post(`${mill.url}/api/v1/auth/oidc/acme`, body)

/** From the button to the way back, with the answer of the callback. */
const comeBack = async (browser: Browser, sub: string, body: object = {}) => {
  const { body: started } = await start(browser, body)
  const back = await passProvider(browser, started.authorization_url, sub)
  return { back, page: await browser.visit(back) }
}
const fragmentOf = (location: string | null) => Object.fromEntries(new URLSearchParams(new URL(location ?? '').hash.slice(1)))

const signInAs = async (browser: Browser, sub: string, body: object = {}) => {
  const { page } = await comeBack(browser, sub, body)
  const { code } = fragmentOf(page.location)
  return browser.post(`${mill.url}/api/v1/auth/oidc/exchange`, { code })
}

test('somebody signs in with a provider and has an account, verified as the provider says', async () => {
  const person = somebody({ name: 'Thandi Mokoena' })
  const reply = await scenario(mill, {
    when: () => signInAs(newBrowser(), person.sub),
    status: 200,
    body: { user: { email: person.email, name: 'Thandi Mokoena', email_verified: true, role: 'user' }, token_type: 'bearer' },
    events: [
      'users.registered',
      'workspaces.created',
      'workspaces.member.added',
      'identity.email.verified',
      'identity.identity.linked',
      'identity.session.created',
    ],
  })
  expect(await mill.as(reply.body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200, body: { email: person.email } })
  // And comes back to the same.
  const again = await scenario(mill, { when: () => signInAs(newBrowser(), person.sub), status: 200, events: ['identity.session.created'] })
  expect(again.body.user.id).toBe(reply.body.user.id)
})

test('the providers are listed for the sign-in page, and no more of them than that', async () => {
  expect(await mill.call('GET', '/api/v1/auth/oidc')).toMatchObject({ status: 200, body: { items: [{ name: 'acme', label: 'Acme' }] } })
})
