import { expect, test } from 'vitest'
import { newCodes, hashOf, readCode as readRecoveryCode } from './recovery-codes.ts'
import { afterWrong, blockedUntil, newSecret, readCode, stepOf, uriOf } from './totp.ts'

// RFC 6238, appendix B, for SHA-1: the last six of the eight digits.
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('at second %i the code is %s', (second, code) => {
  expect(stepOf(secret, code, second * 1000)).toBe(Math.floor(second / 30))
})

test('a code is taken one step early and one step late, and no further', () => {
  const at = 1_111_111_110_000
  const step = at / 30_000
  expect(stepOf(secret, '050471', at)).toBe(step)
  expect(stepOf(secret, '050471', at + 30_000)).toBe(step)
  expect(stepOf(secret, '050471', at + 59_999)).toBe(step)
  expect(stepOf(secret, '050471', at + 60_000)).toBe(null)
  expect(stepOf(secret, '050471', at - 30_000)).toBe(step)
  expect(stepOf(secret, '050471', at - 30_001)).toBe(null)
})

test('a code is read with its spaces, and nothing else is a code', () => {
  expect(readCode('123 456')).toBe('123456')
  for (const text of ['12345', '1234567', '12345a', '', '１２３４５６', '+12345', '1e5000']) expect(readCode(text)).toBe(null)
})

test('a secret has 160 bits, and its address says what an app needs', () => {
  const fresh = newSecret()
  expect(fresh).toMatch(/^[A-Z2-7]{32}$/)
  expect(newSecret()).not.toBe(fresh)
  const uri = new URL(uriOf({ issuer: 'mill.example.org:8443', label: 'a+b@example.org', secret: fresh }))
  expect(uri.protocol).toBe('otpauth:')
  expect(decodeURIComponent(uri.pathname)).toContain('a+b@example.org')
  expect(Object.fromEntries(uri.searchParams)).toEqual({
    issuer: 'mill.example.org:8443',
    secret: fresh,
    algorithm: 'SHA1',
    digits: '6',
    period: '30',
  })
})

test('ten wrong codes in a row block for an hour, a hundred until something else happens', () => {
  let guesses = { wrong_in_a_row: 0, blocked_until: null as string | null }
  let now = 0
  let waited = 0
  for (let count = 1; count <= 100; count += 1) {
    guesses = afterWrong(guesses, now)
    const until = blockedUntil(guesses, now)
    expect(until !== null).toBe(count % 10 === 0)
    if (until === null || !Number.isFinite(until)) continue
    expect(until - now).toBe(3_600_000)
    expect(blockedUntil(guesses, until)).toBe(null)
    waited += until - now
    now = until
  }
  expect(waited).toBe(9 * 3_600_000)
  expect(blockedUntil(guesses, Number.MAX_SAFE_INTEGER)).toBe(Number.POSITIVE_INFINITY)
})

test('recovery codes are ten different ones of 100 bits that are read however they are typed', () => {
  const codes = newCodes()
  expect(new Set(codes).size).toBe(10)
  for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{5}(-[0-9a-hjkmnp-tv-z]{5}){3}$/)
  expect(readRecoveryCode('O0I1l-ABCDE-fghjk-mnpqr')).toBe('00111abcdefghjkmnpqr')
  for (const text of ['', 'abcde', 'u'.repeat(20), '0'.repeat(21)]) expect(readRecoveryCode(text)).toBe(null)
  const [code = ''] = codes
  expect(hashOf('one', code)).toBe(hashOf('one', code.toUpperCase().replaceAll('-', ' ')))
  expect(hashOf('one', code)).not.toBe(hashOf('two', code))
})
