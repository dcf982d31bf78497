import { afterAll, expect, test, vi } from 'vitest'
import { freePort, mailsTo } from '../../server/src/modules/identity/recovery/post.testing.ts'
import { addPasskey, createAuthenticator } from '../../server/src/modules/identity/passkeys/authenticator.testing.ts'
import { setUpTotp } from '../../server/src/modules/identity/mfa/codes.testing.ts'
import { publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { makeTeam } from '../../server/src/modules/workspaces/team.testing.ts'
import { type Call, testApp, type TestReply, type TestUser } from '../../server/src/test-app.ts'
import { bytes, fromAnywhere, statusesIn } from './attack.ts'

const port = await freePort()
const public_url = `https://mill.example.org:${port}`
const mill = await testApp({
  env: {
    PORT: String(port),
    PUBLIC_URL: public_url,
    MILLRACE_IMPERSONATION_MAILS: 'true',
    MILLRACE_CORS_ORIGINS: 'https://app.example.org',
    MILLRACE_OIDC_PROVIDERS: JSON.stringify([{ name: 'github', client_id: 'c', client_secret: 's' }]),
  },
})
afterAll(mill.close)
const admin = await mill.admin()

const evil = 'evil.example'
/** All that some framework somewhere believes about its own address. The requests come by a trusted proxy, so only the address of the client counts. */
const poison = {
  'x-forwarded-host': evil,
  'x-forwarded-server': evil,
  'x-forwarded-proto': 'http',
  'x-forwarded-port': '666',
  'x-forwarded-prefix': `//${evil}`,
  'x-forwarded-uri': `//${evil}/`,
  'x-original-host': evil,
  'x-original-url': `//${evil}/`,
  'x-rewrite-url': `//${evil}/`,
  'x-host': evil,
  'x-http-host-override': evil,
  'x-real-host': evil,
  forwarded: `host=${evil};proto=http;by=${evil}`,
  origin: `https://${evil}`,
  referer: `https://${evil}/page`,
  base_url: `https://${evil}`,
}
const poisoned =
  (call: Call): Call =>
  (method, path, request = {}) =>
    fromAnywhere(call)(method, path, { ...request, headers: { ...poison, ...request.headers } })

const password = 'a mill turns on water'
const replies: string[] = []
const does = async (call: Call, method: string, path: string, body?: object): Promise<TestReply['body']> => {
  const reply = await poisoned(call)(method, path, body === undefined ? {} : { body })
  expect(reply.status, `${method} ${path}: ${JSON.stringify(reply.body)}`).toBeLessThan(300)
  replies.push(JSON.stringify([path, [...reply.headers], reply.body]))
  return reply.body
}

test('no header of a request decides where a link in a mail leads, in any mail that the product sends', async () => {
  const registered = await does(mill.call, 'POST', '/api/v1/auth/register', { email: 'ada@example.org', username: 'ada', password })
  const ada = {
    ...registered,
    email: 'ada@example.org',
    password,
    id: registered.user.id,
    call: poisoned(mill.as(registered)),
  } as unknown as TestUser
  await does(ada.call, 'POST', '/api/v1/auth/email/verification')
  await does(mill.call, 'POST', '/api/v1/auth/password/forgot', { email: ada.email })
  await does(mill.call, 'POST', '/api/v1/auth/magic-link', { email: ada.email })
  await does(ada.call, 'POST', '/api/v1/auth/email/change', { email: 'ada2@example.org', password })
  await does(ada.call, 'POST', '/api/v1/auth/email/change', { email: 'admin@example.org', password })
  await does(ada.call, 'POST', '/api/v1/auth/api-keys', { name: 'k', permissions: ['account:read'] })
  await does(ada.call, 'POST', '/api/v1/auth/password/change', { password, new_password: 'another wheel of paddles' })
  const later = { ...ada, password: 'another wheel of paddles' }
  await addPasskey(later, createAuthenticator({ origin: public_url }))
  await setUpTotp(later, Date.now())

  const team = await makeTeam(mill, ada)
  const invitation = await does(ada.call, 'POST', `/api/v1/workspaces/${team.id}/invitations`, { email: 'ben@example.org', role: 'member' })
  await does(ada.call, 'POST', `/api/v1/workspaces/${team.id}/invitations/${invitation.id}/resend`)
  const cleo = await mill.register('cleo')
  await team.join(cleo, 'member')
  await does(ada.call, 'PUT', `/api/v1/workspaces/${team.id}/members/${cleo.id}`, { role: 'owner' })
  await does(cleo.call, 'PUT', `/api/v1/workspaces/${team.id}/members/${ada.id}`, { role: 'member' })
  await does(cleo.call, 'DELETE', `/api/v1/workspaces/${team.id}/members/${ada.id}`)
  await does(cleo.call, 'DELETE', `/api/v1/workspaces/${team.id}`)

  const made = await does(admin.call, 'POST', '/api/v1/users', { email: 'dora@example.org' })
  await does(admin.call, 'POST', '/api/v1/mails/test')
  await does(admin.call, 'POST', `/api/v1/users/admin/users/${cleo.id}/impersonate`, { reason: 'A test' })
  expect(made.email).toBe('dora@example.org')

  const kinds = [
    ...['email_verification', 'password_reset', 'magic_link', 'email_change', 'email_change_taken', 'email_change_requested'],
    ...['api_key_created', 'password_changed', 'passkey_added', 'mfa_enabled', 'account_setup', 'impersonation'],
  ].map((kind) => `identity.${kind}`)
  const wanted = [...kinds, 'workspaces.invitation', 'workspaces.owner', 'workspaces.removed', 'workspaces.deleted', 'mail.test']
  const mails = await vi.waitFor(
    async () => {
      const sent = await mailsTo(mill)
      expect(sent.map(({ kind }) => kind)).toEqual(expect.arrayContaining(wanted))
      return sent
    },
    { timeout: 10_000 },
  )
  let links = 0
  for (const { kind, subject, text, html } of mails) {
    expect([kind, `${subject}${text}${html}`.includes('evil')]).toEqual([kind, false])
    for (const [address] of `${text} ${html}`.matchAll(/\b[a-z][a-z+.-]*:\/\/[^\s"'<>)]+/gi)) {
      links += 1
      expect([kind, address.startsWith(`${public_url}/`) || address === public_url]).toEqual([kind, true])
    }
  }
  expect(links).toBeGreaterThan(14)
  expect(replies.length).toBeGreaterThan(16)
  for (const reply of replies) expect(reply).not.toContain('evil')
})

test('neither does the Host of a request, nor one in its first line', async () => {
  const ask = (line: string, host: string, path: string, body: object) => {
    const text = JSON.stringify(body)
    return bytes(
      mill,
      `POST ${line}${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    )
  }
  const eve = await mill.register('eve')
  const before = (await mailsTo(mill, eve.email)).length
  for (const [line, host] of [
    ['', evil],
    ['', `${evil}:443`],
    [`http://${evil}`, 'mill.example.org'],
    [`https://${evil}`, evil],
  ] as const)
    expect(statusesIn(await ask(line, host, '/api/v1/auth/password/forgot', { email: eve.email }))).toEqual([202])
  expect(statusesIn(await ask('', evil, '/api/v1/auth/register', { email: 'fay@example.org', password }))).toEqual([201])
  await vi.waitFor(async () => expect((await mailsTo(mill, eve.email)).length).toBe(before + 4))
  for (const mail of [...(await mailsTo(mill, eve.email)), ...(await mailsTo(mill, 'fay@example.org'))]) {
    expect(mail.text).not.toContain('evil')
    expect(mail.text).toContain(public_url)
  }
})

test('webhook addresses, sign-in with a provider, descriptions and pages are built from PUBLIC_URL as well', async () => {
  const gil = await mill.register('gil')
  const id = await publish(gil, webhookDefinition('hooked'))
  const seen = [
    await does(gil.call, 'GET', `/api/v1/workflows/${id}`),
    await does(mill.call, 'POST', '/api/v1/auth/oidc/github', {}),
    await does(mill.call, 'GET', '/openapi.json'),
    await does(mill.call, 'GET', '/auth/reset'),
    await does(mill.call, 'GET', '/docs/errors'),
  ].map((body) => JSON.stringify(body))
  for (const text of seen) expect(text).not.toContain('evil')
  expect(seen[0]).toContain(`${public_url}/hooks/gil/hooked`)
  expect(new URL(JSON.parse(seen[1] as string).authorization_url).searchParams.get('redirect_uri')).toBe(
    `${public_url}/api/v1/auth/oidc/github/callback`,
  )
  const problem = await poisoned(mill.call)('GET', '/api/v1/auth/me')
  expect(problem.body.type).toBe(`${public_url}/docs/errors/http.unauthenticated`)
})
