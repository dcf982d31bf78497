import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../platform/clock.ts'
import { scenario } from '../../platform/testing/scenario.ts'
import { testApp } from '../../test-app.ts'
import { usernameCandidates } from './users.ts'

const clock = manualClock(Date.UTC(2026, 10, 20, 9, 50))
const mill = await testApp({ clock })
afterAll(mill.close)

const path = '/api/v1/users/profile'

test('a user reads their own account, once for as long as it stays the same', async () => {
  const user = await mill.register()
  const reply = await user.call('GET', path)
  expect(reply).toMatchObject({ status: 200, body: { id: user.id, email: user.email } })
  expect(reply.body).not.toHaveProperty('revision')
  expect(reply.headers.get('etag')).toBe('"1"')
  expect(await user.call('GET', path, { headers: { 'if-none-match': '"1"' } })).toMatchObject({ status: 304, body: null })
})

test('a field that is given is replaced, settings whole, and the others stay', async () => {
  const user = await mill.register()
  clock.advance(1_000)
  const first = await scenario(mill, {
    when: () =>
      user.call('PUT', path, {
        body: { name: 'Thandi', avatar_url: 'https://example.org/a.png', settings: { theme: 'dark', deep: { a: [1, null] } } },
      }),
    status: 200,
    body: {
      name: 'Thandi',
      avatar_url: 'https://example.org/a.png',
      settings: { theme: 'dark', deep: { a: [1, null] } },
      email: user.email,
    },
    events: ['users.profile.updated'],
  })
  expect(first.body.updated_at).toBe(new Date(clock.now()).toISOString())
  expect(first.headers.get('etag')).toBe('"2"')
  const second = await user.call('PUT', path, { body: { settings: { lang: 'zu' }, avatar_url: null, username: 'Thandi-M' } })
  expect(second).toMatchObject({ status: 200, body: { name: 'Thandi', avatar_url: null, username: 'thandi-m' } })
  expect(second.body.settings).toEqual({ lang: 'zu' })
  expect((await user.call('GET', path)).body).toEqual(second.body)
  const [event] = (await mill.events()).slice(-1)
  expect(event).toMatchObject({
    name: 'users.profile.updated',
    actor: { type: 'user', id: user.id },
    data: { user_id: user.id, fields: ['settings', 'avatar_url', 'username'] },
  })
})

test('of two changes to the same state, the second is told that it was late', async () => {
  const user = await mill.register()
  const put = (name: string, revision: string) => user.call('PUT', path, { body: { name }, headers: { 'if-match': revision } })
  expect(await put('One', '"1"')).toMatchObject({ status: 200 })
  await scenario(mill, { when: () => put('Two', '"1"'), status: 412, body: { code: 'http.precondition_failed' }, events: [] })
  expect(await user.call('GET', path)).toMatchObject({ body: { name: 'One' } })
  const replies = await Promise.all(Array.from({ length: 20 }, (_, n) => put(`N${n}`, '"2"')))
  expect(replies.filter(({ status }) => status === 200).length).toBe(1)
  expect(replies.filter(({ status }) => status === 412).length).toBe(19)
})

test.each([
  [{ role: 'admin' }],
  [{ plan: 'premium' }],
  [{ is_active: false }],
  [{ id: '01900000-0000-7000-8000-000000000000' }],
  [{ email: 'other@example.org' }],
  [{ email_verified: true }],
  [{ revision: 9 }],
  [{ name: 'A', user_id: '01900000-0000-7000-8000-000000000000' }],
  [{ name: 7 }],
  [{ name: 'x'.repeat(201) }],
  [{ name: 'nul\u0000' }],
  [{ avatar_url: 'javascript:alert(1)' }],
  [{ avatar_url: 'data:text/html,x' }],
  [{ avatar_url: `https://${'a'.repeat(2_050)}` }],
  [{ username: 'a b' }],
  [{ username: '-a' }],
  [{ settings: [] }],
  [{ settings: 'dark' }],
  [{ settings: Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`k${n}`, 1])) }],
  [{ settings: { big: 'x'.repeat(70_000) } }],
  [{}],
])('a profile does not take %.80j', async (body) => {
  const user = await mill.register()
  const before = (await user.call('GET', path)).body
  await scenario(mill, { when: () => user.call('PUT', path, { body }), status: 422, events: [] })
  expect((await user.call('GET', path)).body).toEqual(before)
})

test("somebody else's username is not to be had, in any case", async () => {
  const [one, two] = [await mill.register(), await mill.register('naledi')]
  await scenario(mill, {
    when: () => one.call('PUT', path, { body: { username: 'NALEDI' } }),
    status: 409,
    body: { code: 'users.username_taken' },
    events: [],
  })
  expect(await two.call('PUT', path, { body: { username: 'naledi' } })).toMatchObject({ status: 200 })
})

test.each([
  ['Wish', 'a@b', ['wish']],
  [undefined, 'thandi.m@example.org', ['thandi.m', 'thandi.m-0001', 'thandi.m-000000000001']],
  [undefined, 'thandi+shop@example.org', ['thandi', 'thandi-0001', 'thandi-000000000001']],
  [undefined, 'x@example.org', ['user-x', 'user-x-0001', 'user-x-000000000001']],
  [undefined, '+@example.org', ['user', 'user-0001', 'user-000000000001']],
  [undefined, `${'a'.repeat(64)}@example.org`, ['a'.repeat(26), `${'a'.repeat(26)}-0001`, `${'a'.repeat(26)}-000000000001`]],
])('the username for a wish of %s and %s is one of %j', (wish, email, names) => {
  const candidates = usernameCandidates(wish, email, '01900000-0000-7000-8000-000000000001')
  expect(candidates).toEqual(names)
  for (const name of candidates) expect(name.length).toBeLessThanOrEqual(39)
})
