import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { scenario } from '../../../platform/testing/scenario.ts'
import { testApp } from '../../../test-app.ts'
import { mailOf, tokenOf } from '../recovery/post.testing.ts'
import { challengeOf, codeOf, elsewhere, login, setUpTotp, verify, wrongCode } from './codes.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)

const nextStep = () => clock.advance(30_000)

test('an authenticator app is offered, confirmed and then asked for', async () => {
  const user = await mill.register()
  expect((await user.call('GET', '/api/v1/auth/mfa')).body).toEqual({
    totp: { enabled: false, confirmed_at: null },
    passkeys: 0,
    recovery_codes_left: 0,
    is_required: false,
  })
  const offered = await scenario(mill, {
    when: { by: user.call, method: 'POST', path: '/api/v1/auth/mfa/totp', body: { password: user.password } },
    status: 201,
    events: [],
  })
  expect(offered.body.uri).toContain(`secret=${offered.body.secret}`)
  expect(await login(mill, user)).toMatchObject({ status: 200 })
  const confirmed = await scenario(mill, {
    when: {
      by: user.call,
      method: 'POST',
      path: '/api/v1/auth/mfa/totp/confirm',
      body: { code: codeOf(offered.body.secret, clock.now()) },
    },
    status: 200,
    events: ['identity.mfa.enabled', 'identity.recovery_codes.made', 'mail.queued'],
  })
  expect(confirmed.body.recovery_codes.length).toBe(10)
  const mail = await mailOf(mill, user.email, 'mfa_enabled')
  expect(mail).toMatchObject({ recipient: user.email, subject: 'Two-factor sign-in is on' })
  for (const kept of [offered.body.secret, ...confirmed.body.recovery_codes]) expect(mail.text).not.toContain(kept)
  for (const { headers } of [offered, confirmed]) expect(headers.get('cache-control')).toBe('no-store')
  expect((await user.call('GET', '/api/v1/auth/mfa')).body).toEqual({
    totp: { enabled: true, confirmed_at: '2026-11-20T09:50:00.000Z' },
    passkeys: 0,
    recovery_codes_left: 10,
    is_required: false,
  })
  const asked = await scenario(mill, {
    when: () => login(mill, user),
    status: 401,
    body: { code: 'auth.mfa_required', methods: ['totp', 'recovery_code'], expires_at: '2026-11-20T10:00:00.000Z' },
    not_said: [offered.body.secret],
    events: ['identity.mfa.required'],
  })
  expect(asked.body).not.toHaveProperty('access_token')
  nextStep()
  const signedIn = await scenario(mill, {
    when: () => verify(mill, { challenge: asked.body.challenge, code: codeOf(offered.body.secret, clock.now()) }),
    status: 200,
    body: { user: { id: user.id }, token_type: 'bearer' },
    events: ['identity.session.created'],
  })
  expect(await mill.as(signedIn.body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
})

test('a code may come along with the password, of either kind', async () => {
  const { user, secret, recovery_codes } = await setUpTotp(await mill.register(), clock.now())
  nextStep()
  expect(await login(mill, user, { code: codeOf(secret, clock.now()) })).toMatchObject({ status: 200 })
  expect(await login(mill, user, { code: recovery_codes[0] })).toMatchObject({ status: 200 })
  expect(await login(mill, user, { code: recovery_codes[0] })).toMatchObject({ status: 401, body: { code: 'auth.mfa_invalid' } })
  expect(await login(mill, user, { code: 'rubbish' })).toMatchObject({ status: 401, body: { code: 'auth.mfa_invalid' } })
  expect(await login(mill, user, { code: wrongCode(secret, clock.now()) })).toMatchObject({
    status: 401,
    body: { code: 'auth.mfa_invalid' },
  })
})

test('who has the wrong password learns nothing of a second factor', async () => {
  const plain = await mill.register()
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  nextStep()
  const answers = []
  for (const of of [plain, user]) {
    const wrong = { email: of.email, password: 'not the right one', code: codeOf(secret, clock.now()) }
    const { body } = await scenario(mill, {
      when: () => mill.call('POST', '/api/v1/auth/login', { body: wrong, headers: elsewhere() }),
      status: 401,
      body: { code: 'auth.invalid_credentials' },
      events: ['identity.login.failed'],
    })
    const { request_id: _, ...same } = body
    answers.push(same)
  }
  expect(answers[1]).toEqual(answers[0])
  expect(await login(mill, user, { code: codeOf(secret, clock.now()) })).toMatchObject({ status: 200 })
})

test('a code that confirmed is used up, and so is every code of a step once a later one was taken', async () => {
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  expect(await login(mill, user, { code: codeOf(secret, clock.now()) })).toMatchObject({ status: 401, body: { code: 'auth.mfa_invalid' } })
  nextStep()
  expect(await login(mill, user, { code: codeOf(secret, clock.now(), 1) })).toMatchObject({ status: 200 })
  expect(await login(mill, user, { code: codeOf(secret, clock.now()) })).toMatchObject({ status: 401, body: { code: 'auth.mfa_invalid' } })
})

test('a session keeps what was wished for at the first factor', async () => {
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  nextStep()
  const challenge = await challengeOf(mill, user, { remember_me: true })
  const { body } = await verify(mill, { challenge, code: codeOf(secret, clock.now()) })
  const list = await mill.as(body)('GET', '/api/v1/auth/sessions')
  const current = list.body.items.find(({ is_current }: { is_current: boolean }) => is_current)
  expect((Date.parse(current.expires_at) - clock.now()) / 86_400_000).toBe(30)
})

test('five mistakes end a challenge, and ten minutes do', async () => {
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  const code = wrongCode(secret, clock.now())
  const challenge = await challengeOf(mill, user)
  for (let n = 0; n < 5; n += 1) {
    await scenario(mill, {
      when: () => verify(mill, { challenge, code }),
      status: 401,
      body: { code: 'auth.mfa_invalid' },
      events: ['identity.mfa.failed'],
    })
  }
  nextStep()
  const gone = { status: 401, body: { code: 'auth.mfa_challenge_invalid' } }
  expect(await verify(mill, { challenge, code: codeOf(secret, clock.now()) })).toMatchObject(gone)
  const late = await challengeOf(mill, user)
  clock.advance(600_000)
  expect(await verify(mill, { challenge: late, code: codeOf(secret, clock.now()) })).toMatchObject(gone)
  const again = await challengeOf(mill, user)
  expect(await verify(mill, { challenge: again, code: codeOf(secret, clock.now()) })).toMatchObject({ status: 200 })
  expect(await verify(mill, { challenge: again, code: codeOf(secret, clock.now(), 1) })).toMatchObject(gone)
  for (const made_up of ['x', `mlrm_${'A'.repeat(43)}`, `${again}x`])
    expect(await verify(mill, { challenge: made_up, code: '123456' })).toMatchObject(gone)
})

test('ten wrong codes in a row block the app for an hour, tell the owner, and leave recovery codes working', async () => {
  const { user, secret, recovery_codes } = await setUpTotp(await mill.register(), clock.now())
  const blocked = { status: 429, body: { code: 'auth.mfa_blocked' } }
  for (let n = 0; n < 10; n += 1) {
    const last = n === 9
    await scenario(mill, {
      when: () => login(mill, user, { code: wrongCode(secret, clock.now()) }),
      status: 401,
      body: { code: 'auth.mfa_invalid' },
      events: last ? ['identity.mfa.failed', 'mail.queued'] : ['identity.mfa.failed'],
    })
  }
  nextStep()
  const refused = await login(mill, user, { code: codeOf(secret, clock.now()) })
  expect(refused).toMatchObject(blocked)
  expect(Number(refused.headers.get('retry-after'))).toBe(3_570)
  // The password still answers as it does for everybody: who has it wrong is not told.
  expect(await mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: 'x' }, headers: elsewhere() })).toMatchObject(
    {
      status: 401,
      body: { code: 'auth.invalid_credentials' },
    },
  )
  expect(await login(mill, user, { code: recovery_codes[3] })).toMatchObject({ status: 200 })
  expect(await login(mill, user, { code: codeOf(secret, clock.now()) })).toMatchObject({ status: 200 })
})

test('a challenge ends when the password changes', async () => {
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  const challenge = await challengeOf(mill, user)
  const body = { password: user.password, new_password: 'violet-umbrella-39-harbour' }
  expect(await user.call('POST', '/api/v1/auth/password/change', { body })).toMatchObject({ status: 200 })
  clock.advance(30_000)
  expect(await verify(mill, { challenge, code: codeOf(secret, clock.now()) })).toMatchObject({
    status: 401,
    body: { code: 'auth.mfa_challenge_invalid' },
  })
})

test('an account that is switched off does not get in with a challenge from before', async () => {
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  nextStep()
  const challenge = await challengeOf(mill, user)
  await mill.database.owner`update users set is_active = false where id = ${user.id}`
  expect(await verify(mill, { challenge, code: codeOf(secret, clock.now()) })).toMatchObject({
    status: 401,
    body: { code: 'auth.invalid_credentials' },
  })
})

test('an access token alone sets up and removes nothing', async () => {
  const fresh = await mill.register()
  const needed = { status: 403, body: { code: 'auth.reauthentication_required' } }
  expect(await fresh.call('POST', '/api/v1/auth/mfa/totp', { body: {} })).toMatchObject(needed)
  expect(await fresh.call('POST', '/api/v1/auth/mfa/totp', { body: { password: 'not the right one' } })).toMatchObject({
    status: 403,
    body: { code: 'auth.password_wrong' },
  })
  const { user, secret, recovery_codes } = await setUpTotp(fresh, clock.now())
  nextStep()
  for (const [method, path] of [
    ['DELETE', '/api/v1/auth/mfa/totp'],
    ['POST', '/api/v1/auth/mfa/recovery-codes'],
  ] as const) {
    expect(await user.call(method, path)).toMatchObject({ ...needed, body: { methods: ['password', 'totp', 'recovery_code'] } })
    expect(await user.call(method, path, { body: { code: wrongCode(secret, clock.now()) } })).toMatchObject({ status: 401 })
    expect(await user.call(method, path, { body: { password: 'not the right one' } })).toMatchObject({ status: 403 })
  }
  expect((await user.call('GET', '/api/v1/auth/mfa')).body).toMatchObject({ totp: { enabled: true }, recovery_codes_left: 10 })
  const renewed = await user.call('POST', '/api/v1/auth/mfa/recovery-codes', { body: { code: codeOf(secret, clock.now()) } })
  expect(renewed).toMatchObject({ status: 200 })
  expect(await login(mill, user, { code: recovery_codes[0] })).toMatchObject({ status: 401 })
  expect(await login(mill, user, { code: renewed.body.recovery_codes[0] })).toMatchObject({ status: 200 })
  await scenario(mill, {
    when: { by: user.call, method: 'DELETE', path: '/api/v1/auth/mfa/totp', body: { password: user.password } },
    status: 200,
    events: ['identity.mfa.disabled', 'mail.queued'],
  })
  expect((await user.call('GET', '/api/v1/auth/mfa')).body).toMatchObject({ totp: { enabled: false }, recovery_codes_left: 0 })
  expect(await login(mill, user)).toMatchObject({ status: 200 })
  expect(await user.call('DELETE', '/api/v1/auth/mfa/totp', { body: { password: user.password } })).toMatchObject({
    status: 409,
    body: { code: 'auth.totp_not_enabled' },
  })
  expect(await user.call('POST', '/api/v1/auth/mfa/recovery-codes', { body: { password: user.password } })).toMatchObject({
    status: 409,
    body: { code: 'auth.mfa_not_enabled' },
  })
})

test('a secret is confirmed within an hour, with a right code, once', async () => {
  const user = await mill.register()
  const confirm = (code: string) => user.call('POST', '/api/v1/auth/mfa/totp/confirm', { body: { code } })
  expect(await confirm('123456')).toMatchObject({ status: 409, body: { code: 'auth.totp_not_started' } })
  const start = () => user.call('POST', '/api/v1/auth/mfa/totp', { body: { password: user.password } })
  const first = await start()
  const second = await start()
  expect(await confirm(codeOf(first.body.secret, clock.now()))).toMatchObject({ status: 422, body: { code: 'auth.code_invalid' } })
  clock.advance(3_600_000)
  const again = await user.call('POST', '/api/v1/auth/refresh', { body: { refresh_token: user.refresh_token } })
  const call = mill.as(again.body)
  const late = await call('POST', '/api/v1/auth/mfa/totp/confirm', { body: { code: codeOf(second.body.secret, clock.now()) } })
  expect(late).toMatchObject({ status: 409, body: { code: 'auth.totp_not_started' } })
  const third = await call('POST', '/api/v1/auth/mfa/totp', { body: { password: user.password } })
  const body = { code: codeOf(third.body.secret, clock.now()) }
  const replies = await Promise.all(Array.from({ length: 10 }, () => call('POST', '/api/v1/auth/mfa/totp/confirm', { body })))
  expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array<number>(9).fill(409)])
  expect(await call('POST', '/api/v1/auth/mfa/totp', { body: { password: user.password } })).toMatchObject({
    status: 409,
    body: { code: 'auth.totp_enabled' },
  })
})

test('whoever sets up or removes a factor may end all other sessions', async () => {
  const user = await mill.register()
  const other = await login(mill, user)
  const offered = await user.call('POST', '/api/v1/auth/mfa/totp', { body: { password: user.password } })
  const body = { code: codeOf(offered.body.secret, clock.now()), end_other_sessions: true }
  expect(await user.call('POST', '/api/v1/auth/mfa/totp/confirm', { body })).toMatchObject({ status: 200 })
  expect(await mill.as(other.body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
})

test('an admin removes the second factors of somebody who lost them, and not their own', async () => {
  const admin = await mill.admin()
  const { user } = await setUpTotp(await mill.register(), clock.now())
  const path = `/api/v1/users/admin/users/${user.id}/mfa`
  const challenge = await challengeOf(mill, user)
  expect(await user.call('DELETE', path)).toMatchObject({ status: 403 })
  await scenario(mill, {
    when: { by: admin.call, method: 'DELETE', path },
    status: 200,
    events: { 'identity.mfa.disabled': 1, 'identity.session.revoked': 1, 'mail.queued': 1 },
  })
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.session_revoked' } })
  expect(await login(mill, user)).toMatchObject({ status: 200 })
  expect(await verify(mill, { challenge, code: '123456' })).toMatchObject({ status: 401, body: { code: 'auth.mfa_challenge_invalid' } })
  expect(await admin.call('DELETE', path)).toMatchObject({ status: 409, body: { code: 'auth.mfa_not_enabled' } })
  expect(await admin.call('DELETE', `/api/v1/users/admin/users/${admin.id}/mfa`)).toMatchObject({
    status: 409,
    body: { code: 'auth.self_mfa_removal' },
  })
  expect(await admin.call('DELETE', '/api/v1/users/admin/users/01900000-0000-7000-8000-000000000000/mfa')).toMatchObject({
    status: 404,
    body: { code: 'users.not_found' },
  })
})

test('secrets and codes are in no row, event or mail', async () => {
  const { user, secret, recovery_codes } = await setUpTotp(await mill.register(), clock.now())
  const challenge = await challengeOf(mill, user)
  const rows = await mill.database.owner`
    select row_to_json(t) as row from totp_factors t union all select row_to_json(c) from recovery_codes c
    union all select row_to_json(c) from mfa_challenges c union all select row_to_json(e) from events e
    union all select row_to_json(m) from mails m`
  const everything = JSON.stringify(rows)
  expect(everything).toContain(user.id)
  for (const kept of [secret, challenge, challenge.slice(5), ...recovery_codes, ...recovery_codes.map((code) => code.replaceAll('-', ''))])
    expect(everything).not.toContain(kept)
})

test('who takes over an account that a stranger made with their address meets no second factor of the stranger', async () => {
  const stranger = await mill.register()
  const { secret } = await setUpTotp(stranger, clock.now())
  const challenge = await challengeOf(mill, stranger)
  const post = (path: string, body: object) => mill.call('POST', `/api/v1/auth/password/${path}`, { body, headers: elsewhere() })
  await post('forgot', { email: stranger.email })
  const password = 'violet-umbrella-39-harbour'
  expect(await post('reset', { token: await tokenOf(mill, stranger.email, 'password_reset'), password })).toMatchObject({ status: 200 })
  nextStep()
  expect(await verify(mill, { challenge, code: codeOf(secret, clock.now()) })).toMatchObject({
    status: 401,
    body: { code: 'auth.mfa_challenge_invalid' },
  })
  expect(await login(mill, { ...stranger, password })).toMatchObject({ status: 200 })
})

test('a new password leaves the second factor of a confirmed account asked for', async () => {
  const { user } = await setUpTotp(await mill.register(), clock.now())
  await mill.database.owner`update users set email_verified = true where id = ${user.id}`
  const post = (path: string, body: object) => mill.call('POST', `/api/v1/auth/password/${path}`, { body, headers: elsewhere() })
  await post('forgot', { email: user.email })
  const password = 'violet-umbrella-39-harbour'
  const reset = await post('reset', { token: await tokenOf(mill, user.email, 'password_reset'), password })
  expect(reset).toMatchObject({ status: 200 })
  expect(reset.body).not.toHaveProperty('access_token')
  expect(await login(mill, { ...user, password })).toMatchObject({ status: 401, body: { code: 'auth.mfa_required' } })
})
