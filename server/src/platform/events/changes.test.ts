import { expect, test } from 'vitest'
import { recordedChanges } from './changes.ts'

const recorded = (before: object | undefined, after: object | undefined): unknown =>
  JSON.parse(recordedChanges({ ...(before ? { before } : {}), ...(after ? { after } : {}) }))

test('both sides are recorded as they are, credentials masked', () => {
  expect(recorded({ name: 'Ann', password: 'old' }, { name: 'Anna', password: 'new' })).toEqual({
    before: { name: 'Ann', password: '[redacted]' },
    after: { name: 'Anna', password: '[redacted]' },
  })
})

test('what was made has no before, what was removed has no after', () => {
  expect(recorded(undefined, { name: 'Ann' })).toEqual({ after: { name: 'Ann' } })
  expect(recorded({ name: 'Ann' }, undefined)).toEqual({ before: { name: 'Ann' } })
})

test('a long field says how long it was, and the others stay', () => {
  expect(recorded(undefined, { bio: 'x'.repeat(5_000), name: 'Ann' })).toEqual({ after: { bio: '[5002 characters]', name: 'Ann' } })
})

test('whatever is given, what is recorded is of bounded length', () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`field_${index}`, 'x'.repeat(4_000)]))
  const endless = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field_${index}`, index]))
  const named = Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`${'n'.repeat(1_000)}${index}`, index]))
  for (const side of [many, endless, named]) expect(recordedChanges({ before: side, after: side }).length).toBeLessThanOrEqual(32_768)
  expect(recorded(undefined, endless)).toMatchObject({ after: { field_0: 0, '…': '[4900 more fields]' } })
  expect(recorded(undefined, { ...many, name: 'Ann' })).toMatchObject({ after: { field_0: '[4002 characters]', name: 'Ann' } })
  expect(recorded(named, undefined)).toEqual({ before: { '…': '[90 fields]' } })
})
