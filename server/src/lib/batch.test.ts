import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { batched } from './batch.ts'

const stage = (most: number, at_once: number) => {
  const begun: (readonly string[])[] = []
  const ends: { readonly done: () => void; readonly fail: (error: Error) => void }[] = []
  const one = batched({ most, at_once }, async (items: readonly string[]) => {
    begun.push(items)
    await new Promise<void>((done, fail) => ends.push({ done, fail }))
    return items.map((item) => item.toUpperCase())
  })
  return { begun, ends, one }
}

test('what comes in one turn is done together, and what comes meanwhile waits for the next', async () => {
  const { begun, ends, one } = stage(3, 1)
  const first = ['a', 'b'].map(one)
  await nextTurn()
  expect(begun).toEqual([['a', 'b']])
  const rest = ['c', 'd', 'd', 'e'].map(one)
  await nextTurn()
  expect(begun).toHaveLength(1)
  for (let n = 0; n < 3; n++) {
    ends[n]?.done()
    await nextTurn()
  }
  expect(await Promise.all([...first, ...rest])).toEqual(['A', 'B', 'C', 'D', 'D', 'E'])
  expect(begun).toEqual([['a', 'b'], ['c', 'd', 'd'], ['e']])
})

test('no more are under way than may be', async () => {
  const { begun, ends, one } = stage(1, 2)
  const all = ['a', 'b', 'c'].map(one)
  await nextTurn()
  expect(begun).toEqual([['a'], ['b']])
  ends[1]?.done()
  await nextTurn()
  expect(begun).toHaveLength(3)
  ends[0]?.done()
  ends[2]?.done()
  expect(await Promise.all(all)).toEqual(['A', 'B', 'C'])
})

test('work that fails fails for those who waited for it and nobody else', async () => {
  const { ends, one } = stage(1, 1)
  const [bad, good] = [one('bad'), one('good')]
  await nextTurn()
  ends[0]?.fail(new Error('connection lost'))
  await expect(bad).rejects.toThrow('connection lost')
  await nextTurn()
  ends[1]?.done()
  expect(await good).toBe('GOOD')
})

test('a result too few is told, not handed to somebody else', async () => {
  const one = batched({ most: 2, at_once: 1 }, async () => ['only one'])
  const [a, b] = [one('a'), one('b')]
  await expect(a).rejects.toThrow('2 items of work have 1 results')
  await expect(b).rejects.toThrow('2 items of work have 1 results')
})
