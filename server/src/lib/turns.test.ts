import { expect, test } from 'vitest'
import { atOnce, inTurns, type Interruptible } from './turns.ts'

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
