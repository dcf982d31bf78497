import { createHash, randomBytes } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { passProvider } from './browser.testing.ts'
import { testIssuer } from './issuer.testing.ts'
import { testProvider } from './provider.testing.ts'
import { fragmentOf, newBrowser, visitor } from './stage.testing.ts'

const client = { client_id: 'mill', client_secret: 'a-secret-of-the-client-for-the-test' }
const provider = await testProvider()
const forge = await testIssuer('mill')

const clock = manualClock(Date.now())
const mill = await testApp({
  clock,
  env: {
    MILLRACE_CORS_ORIGINS: 'https://app.example.org',
    MILLRACE_OIDC_PROVIDERS: JSON.stringify([
      { name: 'acme', label: 'Acme', issuer: provider.issuer, ...client },
      { name: 'forge', issuer: forge.issuer, ...client },
    ]),
  },
})
provider.open([{ ...client, redirect_uris: [`${mill.url}/api/v1/auth/oidc/acme/callback`] }])
afterAll(async () => {
  await mill.close()
  await provider.close()
  await forge.close()
})

const acme = visitor(mill, 'acme')
const { start, goThere, comeBack, exchange, signIn } = visitor(mill, 'forge')

let people = 0
const somebody = (claims: object = {}) => {
  const sub = `person-${(people += 1)}`
  const person = { sub, email: `${sub}@example.org`, email_verified: true, name: `Person ${people}`, ...claims }
  provider.people.set(sub, person)
  forge.person = person
  return person
}

test('somebody signs in with a provider and has an account, verified as the provider says', async () => {
  const person = somebody({ name: 'Thandi Mokoena' })
  const signInThere = async () => {
    const browser = newBrowser()
    const { body } = await acme.start(browser)
    const page = await browser.visit(await passProvider(browser, body.authorization_url, person.sub))
    expect(page).toMatchObject({ status: 303 })
    return acme.exchange(browser, fragmentOf(page.location)['code'])
  }
  const reply = await scenario(mill, {
    when: signInThere,
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
  const again = await scenario(mill, { when: signInThere, status: 200, events: ['identity.session.created'] })
  expect(again.body.user.id).toBe(reply.body.user.id)
})

test('the providers are listed for the sign-in page, and no more of them than that', async () => {
  expect(await mill.call('GET', '/api/v1/auth/oidc')).toMatchObject({
    status: 200,
    body: {
      items: [
        { name: 'acme', label: 'Acme' },
        { name: 'forge', label: 'forge' },
      ],
    },
  })
})

test('the provider is asked with PKCE, a state and a nonce that nothing stored tells', async () => {
  const { body } = await start(newBrowser())
  const { origin, pathname, searchParams } = new URL(body.authorization_url)
  expect(`${origin}${pathname}`).toBe(`${forge.issuer}/authorize`)
  expect(Object.fromEntries(searchParams)).toEqual({
    response_type: 'code',
    client_id: 'mill',
    redirect_uri: `${mill.url}/api/v1/auth/oidc/forge/callback`,
    scope: 'openid email profile',
    state: expect.stringMatching(/^mlro_[\w-]{43}$/),
    nonce: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: 'S256',
  })
  const stored = JSON.stringify(await mill.database.owner`select row_to_json(t) as row from one_time_tokens t`)
  for (const name of ['state', 'nonce', 'code_challenge']) expect(stored).not.toContain((searchParams.get(name) as string).slice(5))
})

test('the verifier that the provider gets is the one it was promised', async () => {
  somebody()
  const browser = newBrowser()
  const { body } = await start(browser)
  const { location } = await browser.visit(body.authorization_url)
  await browser.visit(location as string)
  const verifier = forge.forms.at(-1)?.get('code_verifier') ?? ''
  const challenge = new URL(body.authorization_url).searchParams.get('code_challenge')
  expect(createHash('sha256').update(verifier).digest('base64url')).toBe(challenge)
})

test('with use_cookie the refresh token comes as a cookie that no script can read', async () => {
  somebody()
  const browser = newBrowser()
  const reply = await signIn(browser, { use_cookie: true })
  expect(reply).toMatchObject({ status: 200, body: { refresh_token: null } })
  expect(reply.headers.get('set-cookie')).toMatch(/^millrace_refresh=mlrr_[^;]+;.*HttpOnly; SameSite=Strict/)
})

test.each([
  [true, 30],
  [false, 1],
])('remember_me %s lasts %i days', async (remember_me, days) => {
  somebody()
  const { body } = await signIn(newBrowser(), { remember_me })
  const { items } = (await mill.as(body)('GET', '/api/v1/auth/sessions')).body
  expect((Date.parse(items[0].expires_at) - clock.now()) / 86_400_000).toBe(days)
})

test('the cookie of a sign-in comes back from another site, reaches no script and lasts as long as the sign-in', async () => {
  const reply = await start(newBrowser())
  expect(reply.headers.get('set-cookie')).toMatch(
    /^millrace_oidc=[\w-]{43}; Path=\/api\/v1\/auth\/oidc; Max-Age=720; HttpOnly; SameSite=Lax$/,
  )
})

test('a link leads the browser straight to the provider', async () => {
  somebody()
  const browser = newBrowser()
  const page = await browser.visit(`${mill.url}/api/v1/auth/oidc/forge/start?redirect_to=${encodeURIComponent('/welcome?a=1')}`)
  expect(page.status).toBe(303)
  expect(page.location).toMatch(`${forge.issuer}/authorize?`)
  const { location } = await browser.visit(page.location as string)
  const back = await browser.visit(location as string)
  expect(back.location).toMatch(`${mill.url}/welcome?a=1#code=mlro_`)
  expect(back.headers.get('referrer-policy')).toBe('no-referrer')
  expect(back.headers.get('cache-control')).toBe('no-store')
})

test('of fifty callbacks with one state one goes on', async () => {
  somebody()
  const browser = newBrowser()
  const back = await goThere(browser)
  const pages = await Promise.all(Array.from({ length: 50 }, () => browser.visit(back)))
  expect(pages.filter(({ status }) => status === 303)).toHaveLength(1)
  for (const page of pages.filter(({ status }) => status !== 303)) {
    expect(page.status).toBe(400)
    expect(JSON.parse(page.text)).toMatchObject({ code: 'auth.flow_invalid' })
  }
})

test('of fifty exchanges of one code one gets tokens', async () => {
  somebody()
  const browser = newBrowser()
  const { code } = fragmentOf((await comeBack(browser)).location)
  const replies = await Promise.all(Array.from({ length: 50 }, () => exchange(browser, code)))
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
  for (const reply of replies.filter(({ status }) => status !== 200))
    expect(reply).toMatchObject({ status: 401, body: { code: 'auth.oidc_code_invalid' } })
})

test('who brings a stranger’s way back to a victim signs nobody in', async () => {
  somebody()
  const [stranger, victim] = [newBrowser(), newBrowser()]
  const back = await goThere(stranger)
  // With no cookie, with one of a sign-in of its own, and with one that somebody made up.
  for (const prepare of [
    async () => undefined,
    () => start(victim),
    async () => victim.plant(mill.url, 'millrace_oidc', 'x'),
    async () => victim.plant(mill.url, 'millrace_oidc', randomBytes(32).toString('base64url')),
  ]) {
    await prepare()
    const page = await victim.visit(back)
    expect(page.status).toBe(400)
    expect(JSON.parse(page.text)).toMatchObject({ code: 'auth.flow_invalid' })
  }
  // And it has not been used up by that.
  expect(await stranger.visit(back)).toMatchObject({ status: 303 })
})

test('a stranger’s code is worth nothing in another browser', async () => {
  somebody()
  const [stranger, victim] = [newBrowser(), newBrowser()]
  const { code } = fragmentOf((await comeBack(stranger)).location)
  await start(victim)
  for (const attempt of [{}, { code_verifier: 'a'.repeat(43) }]) {
    expect(await exchange(victim, code, attempt)).toMatchObject({ status: 401, body: { code: 'auth.oidc_code_invalid' } })
    expect(await mill.call('POST', '/api/v1/auth/oidc/exchange', { body: { code, ...attempt } })).toMatchObject({ status: 401 })
  }
  expect(await exchange(stranger, code)).toMatchObject({ status: 200 })
})

test('an app on another site shows with a verifier that the code is its own', async () => {
  somebody()
  const verifier = randomBytes(32).toString('base64url')
  const code_challenge = createHash('sha256').update(verifier).digest('base64url')
  const browser = newBrowser()
  const { code } = fragmentOf((await comeBack(browser, { code_challenge, redirect_to: 'https://app.example.org/in' })).location)
  for (const attempt of [{}, { code_verifier: `${verifier.slice(0, -1)}~` }]) {
    expect(await exchange(browser, code, attempt)).toMatchObject({ status: 401, body: { code: 'auth.oidc_code_invalid' } })
  }
  expect(await exchange(newBrowser(), code, { code_verifier: verifier })).toMatchObject({ status: 200 })
})

test('a sign-in takes ten minutes at most, and its code one', async () => {
  somebody()
  const browser = newBrowser()
  const late = await goThere(browser)
  const in_time = await goThere(browser)
  clock.advance(600_000 - 1)
  const page = await browser.visit(in_time)
  const second = fragmentOf((await comeBack(browser)).location)
  clock.advance(1)
  expect(await browser.visit(late)).toMatchObject({ status: 400 })
  clock.advance(60_000 - 1)
  expect(await exchange(browser, fragmentOf(page.location)['code'])).toMatchObject({
    status: 401,
    body: { code: 'auth.oidc_code_invalid' },
  })
  expect(await exchange(browser, second['code'])).toMatchObject({ status: 401, body: { code: 'auth.oidc_code_invalid' } })
})

test('what a callback brings of one provider is nothing to another', async () => {
  somebody()
  const browser = newBrowser()
  const back = new URL(await goThere(browser))
  back.pathname = back.pathname.replace('forge', 'acme')
  const page = await browser.visit(back.href)
  expect(page.status).toBe(400)
  expect(JSON.parse(page.text)).toMatchObject({ code: 'auth.flow_invalid' })
})

test('a code for tokens is no state, and a state no code', async () => {
  somebody()
  const browser = newBrowser()
  const { body } = await start(browser)
  const state = new URL(body.authorization_url).searchParams.get('state') as string
  expect(await exchange(browser, state)).toMatchObject({ status: 401, body: { code: 'auth.oidc_code_invalid' } })
  const { code } = fragmentOf((await comeBack(browser)).location)
  const page = await browser.visit(`${mill.url}/api/v1/auth/oidc/forge/callback?state=${code}&code=x`)
  expect(page.status).toBe(400)
  expect(await exchange(browser, code)).toMatchObject({ status: 200 })
})

test('a provider that is not configured is not found', async () => {
  for (const [method, path] of [
    ['POST', '/api/v1/auth/oidc/gone'],
    ['GET', '/api/v1/auth/oidc/gone/start'],
    ['GET', '/api/v1/auth/oidc/gone/callback?state=x'],
  ] as const) {
    expect(await mill.call(method, path, method === 'POST' ? { body: {} } : {})).toMatchObject({
      status: 404,
      body: { code: 'auth.provider_not_found' },
    })
  }
})

test('somebody with a second factor is asked for it here as well', async () => {
  const person = somebody()
  const { body } = await signIn()
  await mill.database.owner`
    insert into totp_factors (user_id, sealed_secret, created_at, confirmed_at)
    values (${body.user.id}, 'not looked at', now(), now())`
  forge.person = person
  const reply = await signIn()
  expect(reply).toMatchObject({ status: 401, body: { code: 'auth.mfa_required' } })
  expect(reply.body.access_token).toBeUndefined()
})

test('whoever was refused at the provider is told so, and the sign-in is over', async () => {
  const browser = newBrowser()
  forge.answer = () => ({ error: 'access_denied', error_description: 'not today <b>' })
  const back = await goThere(browser)
  forge.answer = ({ code }) => ({ code })
  const page = await browser.visit(back)
  expect(page.location).toMatch(`${mill.url}/#error=auth.provider_denied`)
  expect(page.location).not.toContain('today')
  expect(await browser.visit(back)).toMatchObject({ status: 400 })
})

test('nothing that a sign-in hides is in an event, a stored row or a reply', async () => {
  const person = somebody()
  const browser = newBrowser()
  const page = await comeBack(browser)
  const { code } = fragmentOf(page.location)
  const reply = await exchange(browser, code)
  const rows = await mill.database.owner`
    select row_to_json(i) as row from identities i union all select row_to_json(t) from one_time_tokens t`
  const kept = JSON.stringify([await mill.events(), rows])
  expect(kept).toContain(person.sub)
  const cookie = browser.cookie(mill.url, 'millrace_oidc') as string
  for (const secret of [code?.slice(5), cookie, reply.body.access_token, client.client_secret, 'opaque']) expect(kept).not.toContain(secret)
  for (const secret of [cookie, client.client_secret, 'opaque']) expect(JSON.stringify([page, reply.body])).not.toContain(secret)
})
