import { generateKeySync } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { childOf, decideRotation, firstRefreshToken, isRefreshToken, refreshTokenHash, type Presented } from './refresh-tokens.ts'

const now = Date.UTC(2026, 10, 20)
const grace_ms = 10_000
const fresh: Presented = {
  used_at: null,
  expires_at: now + 1000,
  child_used: false,
  session_revoked: false,
  session_expires_at: now + 5000,
  user_active: true,
}

test('a fresh token rotates', () => {
  expect(decideRotation(fresh, now, grace_ms)).toBe('rotate')
})

test('a token used a moment ago gives the same child again, as long as the child is unused', () => {
  expect(decideRotation({ ...fresh, used_at: now - grace_ms + 1 }, now, grace_ms)).toBe('repeat')
  expect(decideRotation({ ...fresh, used_at: now - grace_ms }, now, grace_ms)).toBe('reused')
  expect(decideRotation({ ...fresh, used_at: now - 1, child_used: true }, now, grace_ms)).toBe('reused')
})

test('without a grace a token that was used before gives nothing, however short the time', () => {
  for (const used_at of [now, now - 1, now + 5]) expect(decideRotation({ ...fresh, used_at }, now, 0)).toBe('reused')
})

test('an expired token that was used before still counts as reuse', () => {
  expect(decideRotation({ ...fresh, used_at: now - 60_000, expires_at: now - 1 }, now, grace_ms)).toBe('reused')
  expect(decideRotation({ ...fresh, expires_at: now }, now, grace_ms)).toBe('expired')
  expect(decideRotation({ ...fresh, session_expires_at: now }, now, grace_ms)).toBe('expired')
})

test('no token of an ended session or of an account switched off gives anything', () => {
  const anyToken = fc.record({
    used_at: fc.option(fc.integer({ min: now - 1e9, max: now })),
    expires_at: fc.integer({ min: now - 1e9, max: now + 1e9 }),
    child_used: fc.boolean(),
    session_expires_at: fc.integer({ min: now - 1e9, max: now + 1e9 }),
  })
  fc.assert(
    fc.property(anyToken, fc.constantFrom([true, true], [false, false], [true, false]), (token, [session_revoked, user_active]) => {
      expect(decideRotation({ ...token, session_revoked, user_active }, now, grace_ms)).toBe('ended')
    }),
  )
})

test('a child is the same for everyone who has the key and the parent, and unknown without the key', () => {
  const newKey = () => generateKeySync('hmac', { length: 256 })
  const key = newKey()
  const parent = firstRefreshToken()
  expect(childOf(parent, key)).toBe(childOf(parent, key))
  expect(childOf(parent, key)).not.toBe(childOf(parent, newKey()))
  expect(isRefreshToken(childOf(parent, key))).toBe(true)
})

test('what is stored of a token is not the token', () => {
  const token = firstRefreshToken()
  expect(isRefreshToken(token)).toBe(true)
  expect(refreshTokenHash(token)).not.toContain(token.slice(5))
  expect(isRefreshToken('eyJhbGciOiJFZERTQSJ9.e30.x')).toBe(false)
  expect(isRefreshToken(`${token}x`)).toBe(false)
})
