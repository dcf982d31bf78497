import { expect, test } from 'vitest'
import { hashPassword, isOutdated, nobodysHash, verifyPassword } from './password-hash.ts'

const password = 'violet-umbrella-39-harbour'

test('a hash is an argon2id PHC string at 19 MiB and two passes, and never the same twice', async () => {
  const [one, two] = await Promise.all([hashPassword(password), hashPassword(password)])
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(one).not.toBe(two)
  expect(await verifyPassword(password, one)).toBe(true)
  expect(await verifyPassword(`${password} `, one)).toBe(false)
})

test('a hash that the reference implementation made verifies, and is known as made at another cost', async () => {
  // From src/test.c of P-H-C/phc-winner-argon2: password "password", salt "somesalt", 64 MiB, two passes.
  const hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'
  expect(await verifyPassword('password', hash)).toBe(true)
  expect(await verifyPassword('Password', hash)).toBe(false)
  expect(isOutdated(hash)).toBe(true)
  expect(isOutdated(await hashPassword(password))).toBe(false)
})

test('the end of a long password counts', async () => {
  const long = 'ab'.repeat(60)
  expect(await verifyPassword(`${long}x`, await hashPassword(`${long}y`))).toBe(false)
})

test('the same text typed on another system is the same password', async () => {
  expect(await verifyPassword('caf\u0065\u0301 au lait, merci', await hashPassword('caf\u00e9 au lait, merci'))).toBe(true)
})

test('nobody has the password of nobody', async () => {
  const hash = nobodysHash()
  expect(isOutdated(hash)).toBe(false)
  expect(await verifyPassword('', hash)).toBe(false)
})

test('a damaged hash is an error, not a wrong password', async () => {
  await expect(verifyPassword(password, 'plain')).rejects.toThrow(/not an argon2id PHC string/)
})
