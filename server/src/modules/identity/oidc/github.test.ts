import { afterAll, beforeEach, expect, test } from 'vitest'
import { testApp } from '../../../test-app.ts'
import { testGitHub } from './github.testing.ts'
import { fragmentOf, newBrowser, visitor } from './stage.testing.ts'

const client = { client_id: 'Iv1.mill', client_secret: 'a-secret-of-the-oauth-app-for-tests' }
const github = await testGitHub(client)
const mill = await testApp({
  env: {
    MILLRACE_OIDC_PROVIDERS: JSON.stringify([
      { name: 'github', issuer: github.issuer, ...client },
      { name: 'mistaken', type: 'github', issuer: github.issuer, ...client, client_secret: 'another' },
    ]),
  },
})
afterAll(async () => {
  await mill.close()
  await github.close()
})

const at = visitor(mill, 'github')
let id = 1_000
beforeEach(() => {
  id += 1
  Object.assign(github, {
    user: { id, login: `octo-${id}`, name: null, email: 'public@example.org' },
    emails: [
      { email: `old-${id}@example.org`, primary: false, verified: true },
      { email: `octo-${id}@example.org`, primary: true, verified: true },
    ],
    answer: null,
    weather: () => false,
  })
})
const failure = async (via = at): Promise<string | undefined> => {
  const { code, error } = fragmentOf((await via.comeBack(newBrowser())).location)
  expect(code).toBeUndefined()
  return error
}

test('somebody of GitHub is known by their number, and has the primary address that GitHub confirmed', async () => {
  const { body } = await at.signIn()
  expect(body.user).toMatchObject({ email: `octo-${id}@example.org`, email_verified: true, name: `octo-${id}` })
  const { items } = (await mill.as(body)('GET', '/api/v1/auth/identities')).body
  expect(items).toMatchObject([{ provider: 'github', issuer: github.issuer, subject: String(id) }])
  // Another login and another address are the same person; the login in other hands is not.
  github.user = { id, login: 'renamed', name: 'Octavia' }
  github.emails = [{ email: `new-${id}@example.org`, primary: true, verified: true }]
  expect((await at.signIn()).body.user.id).toBe(body.user.id)
  github.user = { id: id + 100_000, login: `octo-${id}`, name: null }
  github.emails = [{ email: `heir-${id}@example.org`, primary: true, verified: true }]
  expect((await at.signIn()).body.user.id).not.toBe(body.user.id)
})

test('GitHub is asked with PKCE and the scopes it needs', async () => {
  const { body } = await at.start(newBrowser())
  const { pathname, searchParams } = new URL(body.authorization_url)
  expect(pathname).toBe('/login/oauth/authorize')
  expect(Object.fromEntries(searchParams)).toMatchObject({
    client_id: client.client_id,
    redirect_uri: `${mill.url}/api/v1/auth/oidc/github/callback`,
    scope: 'read:user user:email',
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: 'S256',
  })
})

test('an address that GitHub has not confirmed leads to no account that is there', async () => {
  const user = await mill.register()
  await mill.database.owner`update users set email_verified = true where id = ${user.id}`
  for (const verified of [false, 'true', undefined]) {
    github.emails = [
      { email: user.email, primary: true, verified },
      { email: `octo-${id}@example.org`, primary: false, verified: true },
    ]
    expect(await failure()).toBe('auth.email_taken')
  }
  github.emails = [{ email: `octo-${id}@example.org`, primary: true, verified: false }]
  expect((await at.signIn()).body.user.email_verified).toBe(false)
})

test.each([
  ['no addresses', () => (github.emails = [])],
  ['no primary address', () => (github.emails = [{ email: 'a@example.org', primary: false, verified: true }])],
  ['addresses that are none', () => (github.emails = [null, 7, { email: 7, primary: true, verified: true }])],
  ['something that is no list', () => (github.emails = { message: 'moved' })],
])('with %s nobody gets an account', async (_what, prepare) => {
  prepare()
  expect(await failure()).toBe('auth.email_missing')
})

test.each([
  ['no number', { login: 'a' }],
  ['a number that is text', { id: '7', login: 'a' }],
  ['a number below one', { id: 0, login: 'a' }],
  ['half a number', { id: 1.5, login: 'a' }],
  ['nothing', null],
])('an account with %s is nobody', async (_what, user) => {
  github.user = user
  expect(await failure()).toBe('auth.provider_failed')
})

test('who says no, and who sends a code that is none, is told so', async () => {
  github.answer = () => ({ error: 'access_denied', error_description: 'The user has denied your application access.' })
  expect(await failure()).toBe('auth.provider_denied')
  github.answer = () => ({ error: 'application_suspended' })
  expect(await failure()).toBe('auth.provider_failed')
  github.answer = () => ({ code: 'made-up' })
  expect(await failure()).toBe('auth.provider_failed')
  github.answer = () => ({})
  expect(await failure()).toBe('auth.provider_failed')
})

test('a wrong secret of the client lets nobody in', async () => {
  expect(await failure(visitor(mill, 'mistaken'))).toBe('auth.provider_failed')
})

test('an `iss` that GitHub may send, which nobody can compare with anything, changes nothing', async () => {
  github.answer = (code) => ({ code, iss: 'https://github.com/login/oauth' })
  expect(await at.signIn()).toMatchObject({ status: 200 })
})

const paths = ['/login/oauth/access_token', '/api/v3/user', '/api/v3/user/emails']
test.each(paths.flatMap((path) => ([500, 503, 'breaks off', 403, 'not JSON', 'elsewhere'] as const).map((what) => [path, what] as const)))(
  'bad weather at %s: %s',
  async (path, what) => {
    github.weather = (asked, response) => {
      if (asked !== path) return false
      if (typeof what === 'number') response.writeHead(what, { 'content-type': 'application/json' }).end('{}')
      else if (what === 'breaks off') response.destroy()
      else if (what === 'elsewhere') response.writeHead(302, { location: `${github.issuer}/api/v3/user` }).end()
      else response.writeHead(200, { 'content-type': 'application/json' }).end('<html>')
      return true
    }
    const down = what === 500 || what === 503 || what === 'breaks off'
    expect(await failure()).toBe(down ? 'auth.provider_unavailable' : 'auth.provider_failed')
    github.weather = () => false
    expect(await at.signIn()).toMatchObject({ status: 200 })
  },
)

test('the token of GitHub goes to its API and is kept nowhere', async () => {
  await at.signIn()
  const used = github.asked.find(({ path }) => path === '/api/v3/user')?.authorization?.slice('Bearer '.length) as string
  expect(used).toMatch(/^gho_/)
  const rows = await mill.database.owner`
    select row_to_json(i) as row from identities i union all select row_to_json(t) from one_time_tokens t`
  expect(JSON.stringify([rows, await mill.events()])).not.toContain(used)
})
