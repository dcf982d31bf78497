import { expect, test } from 'vitest'
import { hashPassword, isOutdated, isVerifiable, nobodysHash, verifyPassword } from './password-hash.ts'

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
  await expect(verifyPassword(password, 'plain')).rejects.toThrow(/neither an argon2id PHC string nor a bcrypt hash/)
})

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
test.each([
  // From wrapper.c of Openwall's crypt_blowfish 1.3.
  ['$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
  ['$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a', 'U*U*U'],
  ['$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui', `${alphabet}0123456789chars after 72 are ignored`],
  // From the manual of PHP, password_verify.
  ['$2y$07$BCryptRequires22Chrcte/VlQH0piJtjXl.0t1XkA8pw9dMXTpOq', 'rasmuslerdorf'],
])('a bcrypt hash made elsewhere verifies, and is known as outdated: %s', async (hash, right) => {
  expect(isVerifiable(hash)).toBe(true)
  expect(isOutdated(hash)).toBe(true)
  expect(await verifyPassword(right, hash)).toBe(true)
  expect(await verifyPassword(`x${right}`, hash)).toBe(false)
  expect(await verifyPassword(right.slice(0, 2), hash)).toBe(false)
  for (const form of ['$2a$', '$2b$', '$2y$']) expect(await verifyPassword(right, form + hash.slice(4))).toBe(true)
})

test('bcrypt counts the first 72 bytes, also where the 72nd stands in the middle of a letter', async () => {
  const hash = '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui'
  const known = `${alphabet}0123456789`
  expect(Buffer.byteLength(known)).toBe(72)
  for (const end of ['', 'x', 'é', '🦉'.repeat(20)]) expect(await verifyPassword(known + end, hash)).toBe(true)
  expect(await verifyPassword(known.slice(0, 71), hash)).toBe(false)
  expect(await verifyPassword(`${known.slice(0, 71)}é`, hash)).toBe(false)
})

test('a bcrypt hash is computed beside the event loop', async () => {
  const hash = '$2b$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
  const turns = new Set<number>()
  const counting = setInterval(() => turns.add(performance.now()), 1)
  expect(await verifyPassword('U*U', hash)).toBe(false)
  clearInterval(counting)
  expect(turns.size).toBeGreaterThan(20)
})

test.each([
  ['', 'plain', '$2a$05$tooshort', '$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  // Too dear, or too cheap to be what it says.
  ['$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', '$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['$argon2id$v=19$m=9999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
  ['$argon2id$v=19$m=4,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
  ['$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
])('what no password can be verified against, or not at a fair price, is not taken: %s', (...hashes) => {
  for (const hash of hashes) expect(isVerifiable(hash), hash).toBe(false)
  expect(isVerifiable('$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc')).toBe(true)
})
