import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { testApp, type TestReply } from '../../../test-app.ts'
import { challengeOf, codeOf, login, setUpTotp, verify } from './codes.testing.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
// Another process on the same database: what is used up here must be used up there.
const beside = await testApp({ clock, beside: mill })
afterAll(async () => {
  await beside.close()
  await mill.close()
})

const fifty = async (send: (at: typeof mill, index: number) => Promise<TestReply>): Promise<TestReply[]> =>
  Promise.all(Array.from({ length: 50 }, (_, index) => send(index % 2 === 0 ? mill : beside, index)))

const expectOne = (replies: readonly TestReply[], refused: readonly string[]): void => {
  expect(replies.filter(({ status }) => status === 200).length).toBe(1)
  for (const { status, body } of replies) if (status !== 200) expect(refused).toContain(body.code)
}

test('of fifty who show one code of the app with fifty challenges, at two processes, one gets in', async () => {
  const { user, secret } = await setUpTotp(await mill.register(), clock.now())
  clock.advance(30_000)
  const challenges: string[] = []
  for (let n = 0; n < 50; n += 1) challenges.push(await challengeOf(mill, user))
  const code = codeOf(secret, clock.now())
  expectOne(await fifty((at, n) => verify(at, { challenge: challenges[n], code })), ['auth.mfa_invalid'])
  // The forty-nine were right once: they have not blocked the account.
  clock.advance(30_000)
  expect(await login(mill, user, { code: codeOf(secret, clock.now()) })).toMatchObject({ status: 200 })
})

test('of fifty who show one recovery code with fifty challenges, at two processes, one gets in', async () => {
  const { user, recovery_codes } = await setUpTotp(await mill.register(), clock.now())
  const challenges: string[] = []
  for (let n = 0; n < 50; n += 1) challenges.push(await challengeOf(mill, user))
  expectOne(await fifty((at, n) => verify(at, { challenge: challenges[n], recovery_code: recovery_codes[0] })), ['auth.mfa_invalid'])
  expect((await user.call('GET', '/api/v1/auth/mfa')).body.recovery_codes_left).toBe(9)
})

test('of fifty who answer one challenge with what is right every time, at two processes, one gets in', async () => {
  const { user, recovery_codes } = await setUpTotp(await mill.register(), clock.now())
  const challenge = await challengeOf(mill, user)
  const replies = await fifty((at, n) => verify(at, { challenge, recovery_code: recovery_codes[n % 10] }))
  expectOne(replies, ['auth.mfa_challenge_invalid'])
  // Who came too late has used up no code.
  expect((await user.call('GET', '/api/v1/auth/mfa')).body.recovery_codes_left).toBe(9)
})

test('fifty wrong codes at once, at two processes, are five for a challenge and ten for an account', async () => {
  const { user } = await setUpTotp(await mill.register(), clock.now())
  const challenges = await Promise.all(Array.from({ length: 5 }, () => challengeOf(mill, user)))
  const replies = await fifty((at, n) => verify(at, { challenge: challenges[n % 5], code: String(n).padStart(6, '0') }))
  const codes = replies.map(({ body }) => body.code as string)
  expect(codes.filter((code) => code === 'auth.mfa_invalid').length).toBe(10)
  expect(codes.filter((code) => code === 'auth.mfa_blocked').length).toBe(15)
  expect(codes.filter((code) => code === 'auth.mfa_challenge_invalid').length).toBe(25)
  const [row] = await mill.database.owner`select wrong_in_a_row from totp_factors where user_id = ${user.id}`
  expect(row?.['wrong_in_a_row']).toBe(10)
})
