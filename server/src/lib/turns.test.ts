import { expect, test } from 'vitest'
import { atOnce, inTurns, type Interruptible, onePerTurn } from './turns.ts'

const counting = function* (to: number, each_ms: number): Interruptible<number> {
  for (let n = 0; n < to; n += 1) {
    const until = performance.now() + each_ms
    while (performance.now() < until) continue
    yield
  }
  return to
}

test('work gives the same at once and in turns, and in turns others run in between', async () => {
  expect(atOnce(counting(1_000, 0))).toBe(1_000)
  let others = 0
  const timer = setInterval(() => (others += 1), 1)
  expect(await inTurns(counting(20, 3), 5)).toBe(20)
  clearInterval(timer)
  expect(others).toBeGreaterThan(3)
})

test('what goes wrong in it comes out of it', async () => {
  const failing = function* (): Interruptible<never> {
    yield
    throw new Error('the belt broke')
  }
  expect(() => atOnce(failing())).toThrow('the belt broke')
  await expect(inTurns(failing())).rejects.toThrow('the belt broke')
})

test('pieces of work that come together are done in their order, with a turn for others between any two', async () => {
  const done: string[] = []
  const take = onePerTurn()
  await new Promise<void>((resolve) => {
    const other = (): void => {
      done.push('other')
      if (done.length < 8) setImmediate(other)
      else resolve()
    }
    for (const n of [1, 2]) take(() => done.push(`work ${n}`))
    take(() => {
      done.push('work 3')
      take(() => done.push('work 4'))
    })
    setImmediate(other)
  })
  expect(done.filter((word) => word !== 'other')).toEqual(['work 1', 'work 2', 'work 3', 'work 4'])
  for (const [index, word] of done.entries())
    expect([index, word.startsWith('work') && done[index + 1]?.startsWith('work')]).not.toEqual([index, true])
})
