import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { idOf, isMeantAsKey, keyHash, newKey, publicPartOf, readKey, shownPrefix } from './key-format.ts'

test('a key has the form that scanners are told of', () => {
  const { text, hash } = newKey('019aa0c2-5f3e-7a11-8123-0123456789ab')
  expect(text).toMatch(/^mlr_[0-9A-Za-z]{61}$/)
  expect(isMeantAsKey(text)).toBe(true)
  expect(text.startsWith(shownPrefix('019aa0c2-5f3e-7a11-8123-0123456789ab'))).toBe(true)
  expect(Buffer.from(hash, 'base64url')).toEqual(keyHash(text))
})

test('the public part of a key names its id, whatever that is', () => {
  fc.assert(
    fc.property(fc.uuid(), (id) => {
      expect(publicPartOf(id)).toHaveLength(22)
      expect(idOf(publicPartOf(id))).toBe(id)
      expect(readKey(newKey(id).text)).toBe(publicPartOf(id))
    }),
  )
})

test('two keys of one id have nothing secret in common', () => {
  const id = randomUUID()
  const [one, two] = [newKey(id).text.slice(26), newKey(id).text.slice(26)]
  expect(one).not.toBe(two)
})

test('a key with one character changed, or cut, or lengthened is none', () => {
  const { text } = newKey(randomUUID())
  for (let at = 4; at < text.length; at++) {
    const other = text[at] === 'a' ? 'b' : 'a'
    expect(readKey(text.slice(0, at) + other + text.slice(at + 1)), `at ${at}`).toBe(null)
  }
  for (const wrong of [text.slice(0, -1), `${text}0`, ` ${text}`, text.toUpperCase(), text.slice(4), '', 'mlr_', `mlr_${'a'.repeat(61)}`])
    expect(readKey(wrong)).toBe(null)
})

test('a public part that is larger than any id names none', () => {
  expect(idOf('z'.repeat(22))).toBe(null)
})
