import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { keyIdOf, masterKey, seal, SealBroken, unseal } from './sealing.ts'

const key = { id: 'one', bytes: randomBytes(32) }
const plain = Buffer.from('a password with \u0000 and \u{1F511}')

test('a sealed value opens with its key and its context', () => {
  const sealed = seal(key, 'integrations/7', plain)
  expect(sealed).toMatch(/^v1\.one\.[\w-]+$/)
  expect(keyIdOf(sealed)).toBe('one')
  expect(unseal(key, 'integrations/7', sealed)).toEqual(plain)
  expect(unseal(key, '', seal(key, '', Buffer.alloc(0)))).toEqual(Buffer.alloc(0))
})

test('the same value never looks the same twice', () => {
  expect(seal(key, 'x', plain)).not.toBe(seal(key, 'x', plain))
})

test('another key, another context, another key id or one flipped bit do not open it', () => {
  const sealed = seal(key, 'integrations/7', plain)
  const body = Buffer.from(sealed.split('.')[2] as string, 'base64url')
  expect(() => unseal({ id: 'one', bytes: randomBytes(32) }, 'integrations/7', sealed)).toThrow(SealBroken)
  expect(() => unseal(key, 'integrations/8', sealed)).toThrow(SealBroken)
  expect(() => unseal({ ...key, id: 'two' }, 'integrations/7', sealed.replace('v1.one', 'v1.two'))).toThrow(SealBroken)
  for (let index = 0; index < body.length; index += 1) {
    const altered = Buffer.from(body)
    altered[index] = (altered[index] as number) ^ 1
    expect(() => unseal(key, 'integrations/7', `v1.one.${altered.toString('base64url')}`)).toThrow(SealBroken)
  }
})

test('what was never sealed is refused as such', () => {
  for (const text of ['', 'v1', 'v1.one', 'v1.one.', 'v1.one.AAAA', 'v2.one.AAAA', `${seal(key, 'x', plain)}.more`]) {
    expect(() => unseal(key, 'x', text)).toThrow(SealBroken)
  }
})

test('a master key has the same id everywhere, and its id says nothing of its bytes', () => {
  const bytes = randomBytes(32)
  expect(masterKey(bytes).id).toBe(masterKey(Buffer.from(bytes)).id)
  expect(masterKey(bytes).id).toMatch(/^[0-9a-f]{16}$/)
  expect(masterKey(bytes).id).not.toBe(masterKey(randomBytes(32)).id)
  expect(bytes.toString('hex')).not.toContain(masterKey(bytes).id)
})
