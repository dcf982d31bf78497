import { expect, test } from 'vitest'
import { isSafeIssuer, parseProviders } from './provider-config.ts'

const client = { client_id: 'a', client_secret: 'canary-of-the-configuration' }
const parse = (...entries: object[]) => parseProviders(JSON.stringify(entries))

test('well-known providers need no more than the client', () => {
  expect(parse({ name: 'google', ...client }, { name: 'microsoft', ...client }, { name: 'github', ...client })).toMatchObject([
    { label: 'Google', protocol: 'oidc', issuer: 'https://accounts.google.com', scopes: ['openid', 'email', 'profile'] },
    { label: 'Microsoft', protocol: 'oidc', issuer: 'https://login.microsoftonline.com/common/v2.0' },
    { label: 'GitHub', protocol: 'github', issuer: 'https://github.com', scopes: ['read:user', 'user:email'] },
  ])
  expect(parseProviders(null)).toEqual([])
})

test('any other needs its issuer, and may be named as one likes', () => {
  expect(
    parse(
      { name: 'acme', issuer: 'https://login.acme.example/', client_id: 'a', label: 'Acme', scopes: ['openid'] },
      { name: 'contoso', type: 'microsoft', tenant: 'contoso.example', ...client },
      { name: 'octo', type: 'github', issuer: 'https://git.acme.example/', ...client },
    ),
  ).toMatchObject([
    { name: 'acme', label: 'Acme', issuer: 'https://login.acme.example/', client_secret: null, scopes: ['openid'] },
    { name: 'contoso', issuer: 'https://login.microsoftonline.com/contoso.example/v2.0' },
    { name: 'octo', protocol: 'github', issuer: 'https://git.acme.example' },
  ])
})

test.each<[string, string, RegExp]>([
  ['no JSON', '[{"client_secret":"canary-of-the-configuration"', /not valid JSON/],
  ['no list', '{}', /must be a JSON list/],
  ['nothing of use', '[7]', /Entry 1/],
  ['a field that there is not', JSON.stringify([{ name: 'google', ...client, secret: 'x' }]), /secret/],
  ['no client', JSON.stringify([{ name: 'google' }]), /client_id/],
  ['no secret', JSON.stringify([{ name: 'google', client_id: 'a' }]), /needs a `client_secret`/],
  ['no issuer', JSON.stringify([{ name: 'acme', ...client }]), /needs an `issuer`/],
  ['an issuer over http', JSON.stringify([{ name: 'acme', issuer: 'http://login.acme.example', ...client }]), /https/],
  ['an issuer of a known one', JSON.stringify([{ name: 'google', issuer: 'https://evil.example', ...client }]), /is known for google/],
  ['a tenant elsewhere', JSON.stringify([{ name: 'google', tenant: 'a', ...client }]), /only `microsoft`/],
  ['a tenant that is a path', JSON.stringify([{ name: 'microsoft', tenant: 'a/b', ...client }]), /tenant/],
  ['scopes without openid', JSON.stringify([{ name: 'acme', issuer: 'https://a.example', scopes: ['email'], ...client }]), /`openid`/],
  [
    'one name twice',
    JSON.stringify([
      { name: 'github', ...client },
      { name: 'github', ...client },
    ]),
    /'github' is given twice/,
  ],
  ['a name that is a word of the paths', JSON.stringify([{ name: 'exchange', issuer: 'https://a.example', ...client }]), /another `name`/],
  ['a name with a slash', JSON.stringify([{ name: 'a/b', issuer: 'https://a.example', ...client }]), /name/],
])('%s is told at the start, and no secret with it', (_what, text, message) => {
  let told = ''
  try {
    parseProviders(text)
  } catch (error) {
    told = (error as Error).message
  }
  expect(told).toMatch(message)
  expect(told).toMatch(/^MILLRACE_OIDC_PROVIDERS is not right:/)
  expect(told).not.toContain('canary')
})

test('all that is wrong is told at once', () => {
  expect(() => parse({ name: 'google' }, { name: 'acme', ...client }, { name: 'x y', ...client })).toThrow(/Entry 1[^]*Entry 2[^]*Entry 3/)
})

test.each([
  ['https://a.example', true],
  ['https://a.example/realms/b', true],
  ['http://127.0.0.1:8080', true],
  ['http://localhost/realms/b', true],
  ['http://[::1]:3000', true],
  ['http://127.0.0.1.evil.example', false],
  ['http://localhost.evil.example', false],
  ['http://10.0.0.1', false],
  ['https://user@a.example', false],
  ['https://a.example?b', false],
  ['https://a.example#b', false],
  ['ftp://a.example', false],
  ['a.example', false],
])('the issuer %s is taken: %s', (text, taken) => {
  expect(isSafeIssuer(text)).toBe(taken)
})
