import { setTimeout } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../platform/clock.ts'
import type { TxCtx } from '../../platform/context.ts'
import { testApp } from '../../test-app.ts'
import * as users from '../users/users.ts'
import * as oneTime from './one-time-tokens.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)
const owner = await mill.register()

const inTx = <T>(work: (tx: TxCtx) => Promise<T>): Promise<T> => mill.app.asSystem('test one-time tokens').tx(work)
const give = (purpose: string, more: { readonly beside_older?: true; readonly life_ms?: number } = {}) =>
  inTx((tx) => oneTime.give(tx, { purpose, user_id: owner.id, life_ms: 60_000, data: { email: owner.email }, ...more }))
const take = (token: string, ...purposes: string[]) => inTx((tx) => oneTime.take(tx, token, ...purposes))

test('a token gives what was kept with it, once, and the database does not hold it', async () => {
  const token = await give('opening')
  expect(token).toMatch(/^mlro_[\w-]{43}$/)
  expect(JSON.stringify(await mill.database.owner`select * from one_time_tokens`)).not.toContain(token.slice(5))
  const kept = { purpose: 'opening', user_id: owner.id, data: { email: owner.email }, created_at: '2026-11-20T09:50:00.000Z' }
  expect(await oneTime.look(mill.app.asSystem('test'), token, 'opening')).toEqual(kept)
  expect(await take(token, 'opening')).toEqual(kept)
  expect(await take(token, 'opening')).toBe(null)
})

test('of fifty that use one token at once, one gets it', async () => {
  const token = await give('opening')
  const taken = await Promise.all(Array.from({ length: 50 }, () => take(token, 'opening')))
  expect(taken.filter((one) => one !== null).length).toBe(1)
})

test('a token of another purpose, an old one and a garbled one are nothing, and are left as they are', async () => {
  const token = await give('opening')
  expect(await take(token, 'closing')).toBe(null)
  for (const garbled of ['', 'mlro_', `${token}x`, token.slice(0, -1), token.toUpperCase(), `mlro_${'a'.repeat(43)}`, `${token}\u0000`]) {
    expect(await take(garbled, 'opening')).toBe(null)
    expect(await oneTime.look(mill.app.asSystem('test'), garbled, 'opening')).toBe(null)
  }
  expect(await take(token, 'closing', 'opening')).toMatchObject({ purpose: 'opening' })
  const late = await give('opening')
  clock.advance(60_000)
  expect(await oneTime.look(mill.app.asSystem('test'), late, 'opening')).toBe(null)
  expect(await take(late, 'opening')).toBe(null)
})

test('what it was used for fails, and the token stays good', async () => {
  const token = await give('opening')
  const failing = inTx(async (tx) => {
    expect(await oneTime.take(tx, token, 'opening')).not.toBe(null)
    throw new Error('the door is stuck')
  })
  await expect(failing).rejects.toThrow('the door is stuck')
  expect(await take(token, 'opening')).not.toBe(null)
})

test('a new token ends the older ones of its purpose and user, also when many are given out at once', async () => {
  const other = await give('closing')
  const tokens = [await give('opening'), ...(await Promise.all(Array.from({ length: 10 }, () => give('opening'))))]
  const good = await Promise.all(tokens.map((token) => take(token, 'opening')))
  expect(good.filter((one) => one !== null).length).toBe(1)
  expect(await take(other, 'closing')).not.toBe(null)
  const two = [await give('opening', { beside_older: true }), await give('opening', { beside_older: true })]
  for (const token of two) expect(await take(token, 'opening')).not.toBe(null)
})

test('what nobody used is cleared away', async () => {
  await Promise.all(Array.from({ length: 20 }, () => give('opening', { beside_older: true })))
  clock.advance(60_000)
  await give('opening')
  expect(await mill.database.owner`select count(*)::int as left from one_time_tokens where purpose = 'opening'`).toEqual([{ left: 1 }])
})

test('what a user has is ended, of some purposes or of all', async () => {
  const [opening, closing] = [await give('opening'), await give('closing')]
  await inTx((tx) => oneTime.endOfUser(tx, owner.id, ['opening']))
  expect(await take(opening, 'opening')).toBe(null)
  expect(await oneTime.look(mill.app.asSystem('test'), closing, 'closing')).not.toBe(null)
  await inTx((tx) => oneTime.endOfUser(tx, owner.id, 'all'))
  expect(await take(closing, 'closing')).toBe(null)
})

test('who gives tokens of an account and who ends them never wait for each other in a circle', async () => {
  const deadlocks = async (): Promise<number> =>
    (await mill.database.owner`select deadlocks::int as n from pg_stat_database where datname = current_database()`)[0]?.['n'] as number
  const before = await deadlocks()
  const endAll = () =>
    inTx(async (tx) => {
      await users.lock(tx, owner.id)
      await oneTime.endOfUser(tx, owner.id, 'all')
    })
  await give('opening')
  await Promise.all(Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? give('opening') : endAll())))
  // Each connection adds its figures to the common ones a second after the last time, and gives no sign of it.
  await setTimeout(1_500)
  await Promise.all(Array.from({ length: 16 }, () => give('closing')))
  expect(await deadlocks()).toBe(before)
})
