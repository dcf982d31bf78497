import { Secret, TOTP } from 'otpauth'
import type { TestApp, TestReply, TestUser } from '../../../test-app.ts'

/** What an authenticator app shows `steps` steps of 30 seconds from the given time. */
export const codeOf = (secret: string, now: number, steps = 0): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: now + steps * 30_000 })

/** A code of six digits that is none of those around the given time. */
export const wrongCode = (secret: string, now: number): string => {
  const right = new Set([-2, -1, 0, 1, 2].map((steps) => codeOf(secret, now, steps)))
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find((code) => !right.has(code)) as string
}

export interface WithTotp {
  readonly user: TestUser
  readonly secret: string
  readonly recovery_codes: readonly string[]
}

/** Sets up an authenticator app through the front door. The step of `now` is used up by it. */
export const setUpTotp = async (user: TestUser, now: number): Promise<WithTotp> => {
  const offered = await user.call('POST', '/api/v1/auth/mfa/totp', { body: { password: user.password } })
  if (offered.status !== 201) throw new Error(JSON.stringify(offered.body))
  const { secret } = offered.body
  const confirmed = await user.call('POST', '/api/v1/auth/mfa/totp/confirm', { body: { code: codeOf(secret, now) } })
  if (confirmed.status !== 200) throw new Error(JSON.stringify(confirmed.body))
  return { user, secret, recovery_codes: confirmed.body.recovery_codes }
}

/** Addresses that nobody used before, so that no rate limit is met by accident. */
export const elsewhere = (() => {
  const next = (function* (): Generator<string, never> {
    for (let number = 1; ; number += 1) yield `198.19.${number >> 8}.${number & 255}`
  })()
  return () => ({ 'x-forwarded-for': next.next().value })
})()

export const login = (mill: TestApp, user: TestUser, more: object = {}): Promise<TestReply> =>
  mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password, ...more }, headers: elsewhere() })

export const verify = (mill: TestApp, body: object): Promise<TestReply> =>
  mill.call('POST', '/api/v1/auth/mfa/verify', { body, headers: elsewhere() })

/** Signs in with the password and answers the challenge for the second factor. */
export const challengeOf = async (mill: TestApp, user: TestUser, more: object = {}): Promise<string> => {
  const { status, body } = await login(mill, user, more)
  if (status !== 401 || body.code !== 'auth.mfa_required') throw new Error(JSON.stringify(body))
  return body.challenge
}
