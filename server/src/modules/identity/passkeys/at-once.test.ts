import { afterAll, expect, test } from 'vitest'
import { testApp } from '../../../test-app.ts'
import { elsewhere } from '../mfa/codes.testing.ts'
import { freePort } from '../recovery/post.testing.ts'
import { addPasskey, createAuthenticator, creationOptions } from './authenticator.testing.ts'

const port = await freePort()
const origin = `https://mill.example.org:${port}`
const mill = await testApp({ env: { PUBLIC_URL: origin, PORT: String(port) } })
// Another process on the same database: what is used up here must be used up there.
const beside_port = await freePort()
const beside = await testApp({
  env: { PUBLIC_URL: `https://mill.example.org:${beside_port}`, PORT: String(beside_port), MILLRACE_CORS_ORIGINS: origin },
  beside: mill,
})
afterAll(async () => {
  await beside.close()
  await mill.close()
})

test('of fifty who send one signed challenge, at two processes, one gets in', async () => {
  const user = await mill.register()
  // One that does not count: nothing but the challenge keeps the others out.
  const device = createAuthenticator({ origin, counts: false })
  await addPasskey(user, device)
  const asked = await mill.call('POST', '/api/v1/auth/passkeys/sign-in/options')
  const body = { passkey: device.get(asked.body) }
  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) =>
      (n % 2 === 0 ? mill : beside).call('POST', '/api/v1/auth/passkeys/sign-in', { body, headers: elsewhere() }),
    ),
  )
  expect(replies.filter(({ status }) => status === 200).length).toBe(1)
  for (const { status, body: problem } of replies) if (status !== 200) expect(problem.code).toBe('auth.passkey_invalid')
})

test('of twenty that add one passkey at once, at two processes, one does', async () => {
  const user = await mill.register()
  const body = { passkey: createAuthenticator({ origin }).create(await creationOptions(user)) }
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? mill : beside).as(user)('POST', '/api/v1/auth/passkeys', { body })),
  )
  expect(replies.filter(({ status }) => status === 201).length).toBe(1)
  expect((await user.call('GET', '/api/v1/auth/passkeys')).body.items.length).toBe(1)
})

test('a server that is reached by a number says that passkeys need a name', async () => {
  const nameless = await testApp({ env: {}, beside: mill })
  try {
    expect(await nameless.call('POST', '/api/v1/auth/passkeys/sign-in/options')).toMatchObject({
      status: 409,
      body: { code: 'auth.passkeys_unavailable' },
    })
  } finally {
    await nameless.close()
  }
})
