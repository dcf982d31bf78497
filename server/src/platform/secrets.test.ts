import { afterAll, expect, test } from 'vitest'
import { testApp } from '../test-app.ts'
import { keyIdOf, SealBroken } from './sealing.ts'
import { secrets } from './secrets.ts'

const env = { MILLRACE_SECRET_KEY: Buffer.alloc(32, 'k').toString('base64') }
const mill = await testApp({ env })
const beside = await testApp({ env, beside: mill })
afterAll(async () => {
  await beside.close()
  await mill.close()
})
const store = mill.app.use(secrets)
const other = beside.app.use(secrets)

test('a sealed text opens in another process of the same database, and nowhere but in its place', async () => {
  const sealed = store.seal('integrations/1', 'pa\u0000ss \u{1F511}')
  expect(await other.open('integrations/1', sealed)).toBe('pa\u0000ss \u{1F511}')
  await expect(other.open('integrations/2', sealed)).rejects.toThrow(SealBroken)
  await expect(other.open('integrations/1', 'v1.nobodys-key.AAAA')).rejects.toThrow(SealBroken)
})

test('of many that make the same secret at the same moment, in two processes, all get the one that was kept', async () => {
  let made = 0
  const got = await Promise.all(
    Array.from({ length: 40 }, (_, index) => (index % 2 ? store : other).getOrCreate('race', () => `made ${(made += 1)}`)),
  )
  expect(new Set(got).size).toBe(1)
  expect(await other.getOrCreate('race', () => 'too late')).toBe(got[0])
})

test('a secret is replaced by one of two that try', async () => {
  const first = await store.getOrCreate('replaced', () => 'first')
  const won = await Promise.all([store.replace('replaced', first, 'second'), other.replace('replaced', first, 'third')])
  expect(won.filter(Boolean)).toHaveLength(1)
  expect(await store.getOrCreate('replaced', () => 'none')).toBe(won[0] ? 'second' : 'third')
  expect(await store.replace('replaced', first, 'fourth')).toBe(false)
  expect(await store.replace('never made', 'x', 'y')).toBe(false)
})

test('after a rotation new values have a new key, old ones still open, and other processes read both', async () => {
  const before = store.seal('x', 'old')
  await store.rotate()
  const after = store.seal('x', 'new')
  expect(keyIdOf(after)).not.toBe(keyIdOf(before))
  expect(await store.open('x', before)).toBe('old')
  expect(await other.open('x', before)).toBe('old')
  expect(await other.open('x', after)).toBe('new')
})

test('nothing in the database shows a secret or a key', async () => {
  await store.getOrCreate('canary', () => 'canary-93bc')
  const rows = await mill.database.owner`select sealed as text from secrets union all select wrapped from secret_keys`
  expect(rows.length).toBeGreaterThan(2)
  expect(JSON.stringify(rows)).not.toContain('canary-93bc')
  expect(JSON.stringify(rows)).not.toContain(env.MILLRACE_SECRET_KEY)
})

test('a request of a user sees no key and no secret', async () => {
  const user = await mill.register()
  const ctx = mill.app.context({
    actor: {
      type: 'user',
      user_id: user.id,
      role: 'admin',
      workspace_role: 'owner',
      plan: 'free',
      via: { type: 'session', session_id: user.id },
      impersonator_id: null,
    },
    workspace_id: user.workspace_id,
    request_id: 'r',
  })
  expect(await ctx.db.selectFrom('secret_keys').selectAll().execute()).toEqual([])
  expect(await ctx.db.selectFrom('secrets').selectAll().execute()).toEqual([])
})
