import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { challengeOf, codeOf, elsewhere, login, setUpTotp, verify } from '../mfa/codes.testing.ts'
import { freePort, mailOf } from '../recovery/post.testing.ts'
import { addPasskey, type Authenticator, createAuthenticator, creationOptions, type Twist } from './authenticator.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const port = await freePort()
const origin = `https://mill.example.org:${port}`
const other_page = 'https://app.mill.example.org'
const mill = await testApp({ clock, env: { PUBLIC_URL: origin, PORT: String(port), MILLRACE_CORS_ORIGINS: other_page } })
afterAll(mill.close)

const authenticator = (more: { algorithm?: 'es256' | 'ed25519'; counts?: boolean } = {}) => createAuthenticator({ origin, ...more })

const post = (path: string, body: object = {}) => mill.call('POST', `/api/v1/auth/${path}`, { body, headers: elsewhere() })

const requestOptions = async () => (await post('passkeys/sign-in/options')).body

const signIn = async (device: Authenticator, twist: Twist = {}) =>
  post('passkeys/sign-in', { passkey: device.get(await requestOptions(), twist) })

const refused = { status: 401, body: { code: 'auth.passkey_invalid' } }

test.each(['es256', 'ed25519'] as const)('a passkey of %s is added, and signs in without a password', async (algorithm) => {
  const user = await mill.register()
  const device = authenticator({ algorithm })
  const options = await creationOptions(user)
  expect(options).toMatchObject({
    rp: { id: 'mill.example.org' },
    user: { name: user.email },
    attestation: 'none',
    excludeCredentials: [],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  expect(Buffer.from(options.user.id, 'base64url').length).toBe(32)
  const added = await scenario(mill, {
    when: { by: user.call, method: 'POST', path: '/api/v1/auth/passkeys', body: { passkey: device.create(options), name: 'My phone' } },
    status: 201,
    body: { passkey: { name: 'My phone', is_synced: true, transports: ['internal', 'hybrid'], last_used_at: null } },
    events: ['identity.passkey.added', 'mail.queued', 'identity.recovery_codes.made'],
  })
  expect(added.body.recovery_codes.length).toBe(10)
  const asked = await requestOptions()
  expect(asked).toMatchObject({ rpId: 'mill.example.org', allowCredentials: [], userVerification: 'required' })
  const signedIn = await scenario(mill, {
    when: () => post('passkeys/sign-in', { passkey: device.get(asked) }),
    status: 200,
    body: { user: { id: user.id } },
    events: ['identity.session.created'],
  })
  expect(await mill.as(signedIn.body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200, body: { id: user.id } })
  expect((await mill.events()).findLast(({ name }) => name === 'identity.session.created')?.data).toMatchObject({ method: 'passkey' })
  const list = await user.call('GET', '/api/v1/auth/passkeys')
  expect(list.body.items).toEqual([{ ...added.body.passkey, last_used_at: new Date(clock.now()).toISOString() }])
  expect((await user.call('GET', '/api/v1/auth/mfa')).body).toMatchObject({
    passkeys: 1,
    recovery_codes_left: 10,
    totp: { enabled: false },
  })
})

test('a second passkey brings no new recovery codes, and one device is not added twice', async () => {
  const user = await mill.register()
  const device = authenticator()
  await addPasskey(user, device)
  const options = await creationOptions(user)
  expect(options.excludeCredentials.length).toBe(1)
  const twin = createAuthenticator({ origin }).create(options, { credential_id: options.excludeCredentials[0]?.id as string })
  expect(await user.call('POST', '/api/v1/auth/passkeys', { body: { passkey: twin } })).toMatchObject({
    status: 409,
    body: { code: 'auth.passkey_taken' },
  })
  expect((await addPasskey(user, authenticator())).recovery_codes).toBe(null)
  const stranger = await mill.register()
  const stolen = authenticator().create(await creationOptions(stranger), { credential_id: options.excludeCredentials[0]?.id as string })
  expect(await stranger.call('POST', '/api/v1/auth/passkeys', { body: { passkey: stolen } })).toMatchObject({
    status: 409,
    body: { code: 'auth.passkey_taken' },
  })
  expect(await signIn(device)).toMatchObject({ status: 200, body: { user: { id: user.id } } })
})

test.each<[string, Twist]>([
  ['for another page', { origin: 'https://mill.example.org.evil.example' }],
  ['on another port', { origin: 'https://mill.example.org' }],
  ['over http', { origin: origin.replace('https', 'http') }],
  ['for another relying party', { rp_id: 'evil.example' }],
  ['with a challenge of its own', { challenge: Buffer.alloc(54, 7).toString('base64url') }],
  ['in a frame of another origin', { cross_origin: true }],
  ['without making sure who uses it', { verified: false }],
  ['with nobody there', { present: false }],
  ['as a sign-in', { type: 'webauthn.get' }],
  ['with an attestation that only its maker could check', { attestation: 'apple' }],
])('a new passkey that was made %s is refused', async (_how, twist) => {
  const user = await mill.register()
  const passkey = authenticator().create(await creationOptions(user), twist)
  await scenario(mill, {
    when: { by: user.call, method: 'POST', path: '/api/v1/auth/passkeys', body: { passkey } },
    status: 422,
    body: { code: 'auth.passkey_rejected' },
    events: [],
  })
  expect((await user.call('GET', '/api/v1/auth/passkeys')).body.items).toEqual([])
})

test('a passkey that vouches for itself, and one made on another page of ours, are taken', async () => {
  const user = await mill.register()
  for (const twist of [{ attestation: 'packed' }, { origin: other_page }] as const) {
    const device = authenticator()
    const passkey = device.create(await creationOptions(user), twist)
    expect(await user.call('POST', '/api/v1/auth/passkeys', { body: { passkey } })).toMatchObject({ status: 201 })
    expect(await signIn(device, { origin: other_page })).toMatchObject({ status: 200 })
  }
})

test.each<[string, Twist]>([
  ['for another page', { origin: 'https://evil.example' }],
  ['for another relying party', { rp_id: 'evil.example' }],
  ['over a challenge of its own', { challenge: Buffer.alloc(54, 7).toString('base64url') }],
  ['in a frame of another origin', { cross_origin: true }],
  ['without making sure who uses it', { verified: false }],
  ['with nobody there', { present: false }],
  ['as a registration', { type: 'webauthn.create' }],
  ['with another signature', { forged: true }],
  ['without naming its account', { user_handle: null }],
  ['naming another account', { user_handle: Buffer.alloc(32, 1).toString('base64url') }],
])('a sign-in %s is refused', async (_how, twist) => {
  const user = await mill.register()
  const device = authenticator()
  await addPasskey(user, device)
  await scenario(mill, { when: () => signIn(device, twist), ...refused, events: ['identity.passkey.refused'] })
  expect(await signIn(device)).toMatchObject({ status: 200 })
})

test('a passkey that nobody has, and one of an account that is switched off, are refused alike', async () => {
  const user = await mill.register()
  const device = authenticator()
  await addPasskey(user, device)
  const unknown = await signIn(device, { credential_id: Buffer.alloc(32, 9).toString('base64url') })
  await mill.database.owner`update users set is_active = false where id = ${user.id}`
  const off = await signIn(device)
  expect(unknown).toMatchObject(refused)
  const same = ({ body: { request_id: _, ...rest } }: typeof off) => rest
  expect(same(off)).toEqual(same(unknown))
})

test('a challenge signs in once, for five minutes, and for nothing else', async () => {
  const user = await mill.register()
  const device = authenticator()
  await addPasskey(user, device)
  const replayed = device.get(await requestOptions())
  expect(await post('passkeys/sign-in', { passkey: replayed })).toMatchObject({ status: 200 })
  await scenario(mill, { when: () => post('passkeys/sign-in', { passkey: replayed }), ...refused, events: ['identity.passkey.refused'] })
  const old = await requestOptions()
  clock.advance(299_999)
  const late = await requestOptions()
  const in_time = device.get(old)
  expect(await post('passkeys/sign-in', { passkey: in_time })).toMatchObject({ status: 200 })
  clock.advance(300_000)
  expect(await post('passkeys/sign-in', { passkey: device.get(late) })).toMatchObject(refused)
  const proof = await user.call('POST', '/api/v1/auth/passkeys/proof/options')
  expect(proof.status).toBe(200)
  expect(await post('passkeys/sign-in', { passkey: device.get(proof.body) })).toMatchObject(refused)
  const creation = await creationOptions(user)
  expect(await signIn(device, { challenge: creation.challenge })).toMatchObject(refused)
})

test('a passkey whose count goes backwards is refused, and its owner told', async () => {
  const user = await mill.register()
  const device = authenticator()
  await addPasskey(user, device)
  expect(await signIn(device, { counter: 7 })).toMatchObject({ status: 200 })
  for (const counter of [7, 6, 0]) {
    await scenario(mill, {
      when: () => signIn(device, { counter }),
      ...refused,
      events: ['identity.passkey.clone_suspected', 'mail.queued'],
    })
  }
  expect((await mailOf(mill, user.email, 'passkey_clone_suspected', 3)).text).toContain('copy')
  expect(await signIn(device, { counter: 8 })).toMatchObject({ status: 200 })
})

test('a passkey that does not count may say 0 always', async () => {
  const user = await mill.register()
  const device = authenticator({ counts: false })
  await addPasskey(user, device)
  for (let n = 0; n < 3; n += 1) expect(await signIn(device)).toMatchObject({ status: 200 })
})

test('with the password a passkey is asked for, and is the second factor', async () => {
  const user = await mill.register()
  const device = authenticator()
  const { recovery_codes } = await addPasskey(user, device)
  const required = await login(mill, user)
  expect(required).toMatchObject({ status: 401, body: { code: 'auth.mfa_required', methods: ['passkey', 'recovery_code'] } })
  const { challenge } = required.body
  const options = await post('mfa/passkey/options', { challenge })
  expect(options.body.allowCredentials).toMatchObject([{ type: 'public-key', transports: ['internal', 'hybrid'] }])
  const wrong = { status: 401, body: { code: 'auth.mfa_invalid' } }
  // Signed for another sign-in: the same account, another challenge.
  const elsewhere_signed = await post('mfa/passkey/options', { challenge: await challengeOf(mill, user) })
  expect(await verify(mill, { challenge, passkey: device.get(elsewhere_signed.body) })).toMatchObject(wrong)
  expect(await verify(mill, { challenge, passkey: device.get(options.body, { verified: false }) })).toMatchObject(wrong)
  expect(await verify(mill, { challenge, passkey: device.get(options.body) })).toMatchObject({
    status: 200,
    body: { user: { id: user.id } },
  })
  expect(await post('mfa/passkey/options', { challenge })).toMatchObject({ status: 401, body: { code: 'auth.mfa_challenge_invalid' } })
  expect(await login(mill, user, { code: recovery_codes?.[0] })).toMatchObject({ status: 200 })
})

test("somebody else's passkey is no second factor", async () => {
  const [user, thief] = [await mill.register(), await mill.register()]
  await addPasskey(user, authenticator())
  const device = authenticator()
  await addPasskey(thief, device)
  const challenge = await challengeOf(mill, user)
  const options = await post('mfa/passkey/options', { challenge })
  const passkey = device.get({ ...options.body, allowCredentials: [] })
  expect(await verify(mill, { challenge, passkey })).toMatchObject({ status: 401, body: { code: 'auth.mfa_invalid' } })
})

test('adding and removing a passkey takes more than an access token', async () => {
  const user = await mill.register()
  const needed = { status: 403, body: { code: 'auth.reauthentication_required' } }
  expect(await user.call('POST', '/api/v1/auth/passkeys/options', { body: {} })).toMatchObject(needed)
  const device = authenticator()
  const { passkey } = await addPasskey(user, device, { name: 'One' })
  const path = `/api/v1/auth/passkeys/${passkey.id}`
  expect(await user.call('DELETE', path)).toMatchObject({ ...needed, body: { methods: ['password', 'passkey', 'recovery_code'] } })
  const stranger = await mill.register()
  for (const method of ['PUT', 'DELETE'])
    expect(await stranger.call(method, path, { body: method === 'PUT' ? { name: 'x' } : { password: stranger.password } })).toMatchObject({
      status: 404,
      body: { code: 'auth.passkey_not_found' },
    })
  const proof = await user.call('POST', '/api/v1/auth/passkeys/proof/options')
  const shown = device.get(proof.body)
  const other_session = await login(mill, user, { code: 'x' })
  expect(other_session.status).toBe(401)
  await scenario(mill, {
    when: { by: user.call, method: 'DELETE', path, body: { passkey: shown } },
    status: 200,
    events: ['identity.passkey.removed', 'mail.queued'],
  })
  expect(await signIn(device)).toMatchObject(refused)
  expect(await login(mill, user)).toMatchObject({ status: 200 })
  expect((await user.call('GET', '/api/v1/auth/mfa')).body).toMatchObject({ passkeys: 0, recovery_codes_left: 0 })
})

test('a challenge to add a passkey is of the session that has shown who it is', async () => {
  const user = await mill.register()
  const options = await creationOptions(user)
  const session = await login(mill, user)
  const body = { passkey: authenticator().create(options) }
  expect(await mill.as(session.body)('POST', '/api/v1/auth/passkeys', { body })).toMatchObject({
    status: 422,
    body: { code: 'auth.passkey_rejected' },
  })
  expect(await user.call('POST', '/api/v1/auth/passkeys', { body })).toMatchObject({ status: 201 })
  expect(await user.call('POST', '/api/v1/auth/passkeys', { body })).toMatchObject({ status: 422 })
})

test('a passkey is named anew, at the revision that its owner knows', async () => {
  const user = await mill.register()
  const { passkey } = await addPasskey(user, authenticator())
  const path = `/api/v1/auth/passkeys/${passkey.id}`
  const put = (name: string, headers = {}) => user.call('PUT', path, { body: { name }, headers })
  const first = await put('Phone')
  expect(first).toMatchObject({ status: 200, body: { name: 'Phone' } })
  expect(first.headers.get('etag')).toBe('"2"')
  expect(await put('Tablet', { 'if-match': '"1"' })).toMatchObject({ status: 412 })
  expect(await put('Tablet', { 'if-match': '"2"' })).toMatchObject({ status: 200, body: { name: 'Tablet' } })
})

test('removing the app leaves a passkey asked for, and an admin removes both', async () => {
  const admin = await mill.admin()
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  const device = authenticator()
  await addPasskey(user, device)
  expect((await login(mill, user)).body.methods).toEqual(['totp', 'passkey', 'recovery_code'])
  clock.advance(30_000)
  const body = { code: codeOf(secret, clock.now()) }
  expect(await user.call('DELETE', '/api/v1/auth/mfa/totp', { body })).toMatchObject({ status: 200 })
  expect((await login(mill, user)).body.methods).toEqual(['passkey', 'recovery_code'])
  await scenario(mill, {
    when: { by: admin.call, method: 'DELETE', path: `/api/v1/users/admin/users/${user.id}/mfa` },
    status: 200,
    events: { 'identity.passkey.removed': 1, 'identity.session.revoked': 1, 'mail.queued': 1 },
  })
  expect(await login(mill, user)).toMatchObject({ status: 200 })
  expect(await signIn(device)).toMatchObject(refused)
})

test('an account has at most twenty passkeys', async () => {
  const user = await mill.register()
  for (let n = 0; n < 20; n += 1) await addPasskey(user, authenticator())
  expect(await user.call('POST', '/api/v1/auth/passkeys/options', { body: { password: user.password } })).toMatchObject({
    status: 409,
    body: { code: 'auth.passkeys_full' },
  })
})

test.each([
  [{}],
  [{ passkey: {} }],
  [{ passkey: { id: 'a', rawId: 'a', type: 'public-key', response: { clientDataJSON: 'a', authenticatorData: 'a', signature: 'a' } } }],
  [{ passkey: { id: 'ä', rawId: 'ä', type: 'public-key', response: {} } }],
  [{ passkey: 'x' }],
])('malformed input %j is no fault of the server', async (body) => {
  const { status } = await post('passkeys/sign-in', body)
  expect([401, 422]).toContain(status)
})
