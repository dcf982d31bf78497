import { expect, test } from 'vitest'
import { redactChange } from './redact.ts'

const masked = (...names: readonly string[]): readonly string[] => {
  const fields = Object.fromEntries(names.map((name) => [name, 'canary']))
  const clean = redactChange(fields) as { [name: string]: unknown }
  return names.filter((name) => clean[name] === '[redacted]')
}

test('what is recorded of a change shows no password, token, key, code, challenge or digest, whatever the style of its name', () => {
  const names = [
    'password',
    'current_password',
    'newPassword',
    'passwords',
    'access_token',
    'refreshToken',
    'tokens',
    'token_hash',
    'password_hash',
    'hash',
    'secret',
    'client_secret',
    'clientSecret',
    'secrets',
    'api_key',
    'apiKey',
    'API_KEY',
    'x-api-key',
    'private_key',
    'signing_key',
    'encryptionKey',
    'code',
    'codes',
    'recovery_codes',
    'recoveryCodes',
    'backup_code',
    'verification_code',
    'authorization_code',
    'otp',
    'totp',
    'credentials',
    'credential',
    'challenge',
    'code_verifier',
    'salt',
    'cookie',
    'set-cookie',
    'Authorization',
    'pin',
  ]
  expect(masked(...names)).toEqual(names)
})

test('fields that only resemble credentials are kept', () => {
  const names = [
    'name',
    'email',
    'status',
    'error_code',
    'country_code',
    'postal_code',
    'status_code',
    'barcode',
    'token_type',
    'tokens_used',
    'token_id',
    'key',
    'key_id',
    'key_prefix',
    'keywords',
    'secretary',
    'password_changed_at',
    'credential_id',
    'credentials_count',
    'challenges_won',
    'salty',
    'shipping',
    'hashtag',
    'passport',
  ]
  expect(masked(...names)).toEqual([])
})

test('credentials are found at any depth and in lists, and the value given is left as it is', () => {
  const given = { plan: 'free', keys: [{ name: 'ci', token: 'canary' }], deep: { deeper: { client_secret: 'canary' } } }
  const clean = redactChange(given)
  expect(clean).toEqual({ plan: 'free', keys: [{ name: 'ci', token: '[redacted]' }], deep: { deeper: { client_secret: '[redacted]' } } })
  expect(given.keys[0]?.token).toBe('canary')
})

test('a credential that is not there is not said to be there', () => {
  expect(redactChange({ password: null, token: undefined })).toEqual({ password: null, token: undefined })
})
