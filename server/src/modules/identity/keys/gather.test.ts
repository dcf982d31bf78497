import { expect, test } from 'vitest'
import { gathered } from './gather.ts'

test('what is asked for while a read is under way waits for one more read, of a bounded size', async () => {
  const reads: (readonly string[])[] = []
  const release: (() => void)[] = []
  const find = gathered(3, async (ids: readonly string[]) => {
    reads.push(ids)
    await new Promise<void>((resolve) => release.push(resolve))
    return new Map(ids.filter((id) => id !== 'none').map((id) => [id, `value of ${id}`]))
  })
  const asked = ['a', 'b', 'c', 'b', 'none', 'd'].map((id) => find(id))
  expect(reads).toEqual([['a']])
  for (let read = 0; read < 3; read++) {
    release[read]?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(await Promise.all(asked)).toEqual(['value of a', 'value of b', 'value of c', 'value of b', null, 'value of d'])
  expect(reads).toEqual([['a'], ['b', 'c', 'none'], ['d']])
})

test('a read that fails fails those who waited for it and nobody else', async () => {
  let fail = true
  const find = gathered(10, async (ids: readonly string[]) => {
    if (fail) throw new Error('connection lost')
    return new Map(ids.map((id) => [id, id]))
  })
  await expect(find('a')).rejects.toThrow('connection lost')
  fail = false
  expect(await find('a')).toBe('a')
})
