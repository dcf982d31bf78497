import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Problem } from '../../../platform/errors.ts'
import { createHashPool } from './hash-pool.ts'

test('what could not be hashed within a second is refused at once, and the rest is served', async () => {
  const pool = createHashPool({ concurrency: 1, first_guess_ms: 200 })
  const answers = await Promise.allSettled(Array.from({ length: 20 }, () => pool.verify('violet-umbrella', null)))
  const refused = answers.filter((answer) => answer.status === 'rejected').map((answer) => answer.reason as unknown)
  expect(answers.filter((answer) => answer.status === 'fulfilled').length).toBe(6)
  expect(refused.length).toBe(14)
  for (const problem of refused) {
    expect(problem).toBeInstanceOf(Problem)
    expect(problem).toMatchObject({ code: 'identity.busy', declaration: { status: 503 } })
    expect(Number((problem as Problem).details.headers?.['retry-after'])).toBeGreaterThanOrEqual(1)
  }
  expect(pool.computed()).toBe(6)
  expect(await pool.verify('violet-umbrella', await pool.hash('violet-umbrella'))).toBe(true)
})

test('who finds no place in the line is told so before anything is looked up', async () => {
  const pool = createHashPool({ concurrency: 1, first_guess_ms: 200 })
  let looked_up = 0
  const signIn = () =>
    pool.inLine(async (verify) => {
      looked_up += 1
      await nextTurn()
      return verify('violet-umbrella', null)
    })
  const answers = await Promise.allSettled(Array.from({ length: 20 }, signIn))
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(6)
  expect(looked_up).toBe(6)
  expect(pool.computed()).toBe(6)
})

test('what fails before a password is verified gives its place back', async () => {
  const pool = createHashPool({ concurrency: 1, first_guess_ms: 1_000 })
  const failing = () => pool.inLine(() => Promise.reject(new Error('the database is away')))
  for (let n = 0; n < 10; n++) await expect(failing()).rejects.toThrow('away')
  expect(await pool.inLine((verify) => verify('violet-umbrella', null))).toBe(false)
})

test('of many that come at once one begins in each turn', async () => {
  const pool = createHashPool({ concurrency: 1, first_guess_ms: 1 })
  const turns: number[] = []
  let turn = 0
  const count = (): void => {
    turn += 1
    if (turns.length < 5) setImmediate(count)
  }
  setImmediate(count)
  await Promise.all(Array.from({ length: 5 }, () => pool.inLine(async () => turns.push(turn))))
  expect(new Set(turns).size).toBe(5)
})

test('an account that does not exist costs a hash too, and never matches', async () => {
  const pool = createHashPool({ concurrency: 2 })
  expect(await pool.verify('violet-umbrella', null)).toBe(false)
  expect(pool.computed()).toBe(1)
})

test('a hash that fails gives its place back', async () => {
  const pool = createHashPool({ concurrency: 1 })
  await expect(pool.verify('violet-umbrella', 'damaged')).rejects.toThrow()
  await expect(pool.verify('violet-umbrella', 'damaged')).rejects.toThrow()
  await pool.idle()
  expect(await pool.verify('violet-umbrella', null)).toBe(false)
})

test('the pool is idle when the last one waiting is done', async () => {
  const pool = createHashPool({ concurrency: 1 })
  const all = Promise.all([pool.hash('a'), pool.hash('b'), pool.hash('c')])
  await pool.idle()
  expect(pool.computed()).toBe(3)
  await all
})
