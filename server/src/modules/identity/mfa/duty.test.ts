import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { testApp } from '../../../test-app.ts'
import { codeOf, setUpTotp } from './codes.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock, env: { MILLRACE_REQUIRE_MFA: 'everyone' } })
const beside = await testApp({ clock, beside: mill, env: { MILLRACE_REQUIRE_MFA: 'admins' } })
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const refused = { status: 403, body: { code: 'http.mfa_enrolment_required' } }

test('where everybody is asked for a second factor, who has none looks after their account and nothing else, with a key of theirs too', async () => {
  const user = await mill.register()
  expect(await user.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  expect(await user.call('GET', '/api/v1/auth/mfa')).toMatchObject({ status: 200, body: { is_required: true } })
  expect(await user.call('GET', '/api/v1/workflows')).toMatchObject(refused)
  const key = { name: 'ci', permissions: ['workflows:read'] }
  expect(await user.call('POST', '/api/v1/auth/api-keys', { body: key })).toMatchObject({ status: 422 })
  await setUpTotp(user, clock.now())
  expect(await user.call('GET', '/api/v1/workflows')).toMatchObject({ status: 200 })
  const made = await user.call('POST', '/api/v1/auth/api-keys', { body: key })
  expect(made.status).toBe(201)
  const withKey = () => mill.call('GET', '/api/v1/workflows', { headers: { 'x-api-key': made.body.key } })
  expect(await withKey()).toMatchObject({ status: 200 })
  const body = { password: user.password }
  expect(await user.call('DELETE', '/api/v1/auth/mfa/totp', { body })).toMatchObject({ status: 200 })
  expect(await user.call('GET', '/api/v1/workflows')).toMatchObject(refused)
  expect(await withKey()).toMatchObject(refused)
})

test('where admins are, nobody else is', async () => {
  const admin = await mill.admin()
  const user = await mill.register()
  expect(await beside.as(user)('GET', '/api/v1/workflows')).toMatchObject({ status: 200 })
  expect(await beside.as(user)('GET', '/api/v1/auth/mfa')).toMatchObject({ body: { is_required: false } })
  const asAdmin = beside.as(admin)
  expect(await asAdmin('GET', '/api/v1/workflows')).toMatchObject(refused)
  const offered = await asAdmin('POST', '/api/v1/auth/mfa/totp', { body: { password: admin.password } })
  const body = { code: codeOf(offered.body.secret, clock.now()) }
  expect(await asAdmin('POST', '/api/v1/auth/mfa/totp/confirm', { body })).toMatchObject({ status: 200 })
  expect(await asAdmin('GET', '/api/v1/workflows')).toMatchObject({ status: 200 })
})
