import { afterAll, expect, test } from 'vitest'
import { testApp, type TestApp, type TestReply, type TestUser } from '../../../test-app.ts'

const mill = await testApp()
const second = await testApp({ beside: mill })
afterAll(async () => {
  await second.close()
  await mill.close()
})

let places = 0
const refresh = (refresh_token: string, on: TestApp = mill): Promise<TestReply> =>
  on.call('POST', '/api/v1/auth/refresh', {
    body: { refresh_token },
    headers: { 'x-forwarded-for': `198.19.${(places += 1) >> 8}.${places & 255}`, 'user-agent': `place ${places}` },
  })
const codeOf = ({ status, body }: TestReply): string => (status === 200 ? 'won' : body.code)

test('of fifty uses of one token at once, over two processes, exactly one wins, and the session ends', async () => {
  const user = await mill.register()
  const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => refresh(user.refresh_token, n % 2 === 0 ? mill : second)))
  const codes = replies.map(codeOf)
  expect(codes.filter((code) => code === 'won')).toHaveLength(1)
  expect(codes.filter((code) => code === 'auth.refresh_reused')).toHaveLength(1)
  expect(codes.filter((code) => code === 'auth.session_revoked')).toHaveLength(48)
  const won = replies.find(({ status }) => status === 200) as TestReply
  expect(codeOf(await refresh(won.body.refresh_token))).toBe('auth.session_revoked')
})

test('many sessions that refresh at once each get their own: nobody gets tokens of somebody else', async () => {
  const users = await Promise.all(Array.from({ length: 24 }, () => mill.register()))
  const owners = new Map<string, TestUser>(users.map((user) => [user.refresh_token, user]))
  for (let round = 0; round < 3; round++) {
    const tokens = [...owners.keys()]
    const replies = await Promise.all(tokens.map((token, n) => refresh(token, n % 2 === 0 ? mill : second)))
    for (const [n, { status, body }] of replies.entries()) {
      const owner = owners.get(tokens[n] as string) as TestUser
      expect(status, JSON.stringify(body)).toBe(200)
      expect(body.user).toMatchObject({ id: owner.id, email: owner.email })
      expect((await mill.as(body)('GET', '/api/v1/auth/me')).body).toMatchObject({ id: owner.id, workspace_id: owner.workspace_id })
      owners.delete(tokens[n] as string)
      owners.set(body.refresh_token, owner)
    }
  }
  expect(owners.size).toBe(24)
})

test('a refresh says where its session was seen, and moves its end, never beyond the last', async () => {
  const user = await mill.register()
  await refresh(user.refresh_token)
  const [row] = await mill.database.owner`
    select address, user_agent, idle_expires_at = last_seen_at + interval '1 day' as a_day, last_seen_at > created_at as seen
    from sessions where user_id = ${user.id}`
  expect(row).toEqual({ address: `198.19.0.${places}`, user_agent: `place ${places}`, a_day: true, seen: true })
  const near = await mill.register()
  await mill.database.owner`update sessions set expires_at = now() + interval '10 minutes' where user_id = ${near.id}`
  const { body } = await refresh(near.refresh_token)
  expect(body.expires_in).toBeLessThanOrEqual(600)
  const [ends] = await mill.database.owner`
    select s.idle_expires_at = s.expires_at as session, t.expires_at = s.expires_at as token
    from sessions s join refresh_tokens t on t.session_id = s.id where s.user_id = ${near.id} and t.used_at is null`
  expect(ends).toEqual({ session: true, token: true })
})

test.each([
  [
    'of an account that is switched off',
    'auth.session_revoked',
    (id: string) => mill.database.owner`update users set is_active = false where id = ${id}`,
  ],
  [
    'of a session that has ended',
    'auth.session_revoked',
    (id: string) => mill.database.owner`update sessions set revoked_at = now(), revoked_reason = 'removed' where user_id = ${id}`,
  ],
  [
    'that has expired',
    'auth.refresh_expired',
    (id: string) => mill.database.owner`
    update refresh_tokens set expires_at = now() - interval '1 second' where session_id in (select id from sessions where user_id = ${id})`,
  ],
  [
    'of a session that is over',
    'auth.refresh_expired',
    (id: string) => mill.database.owner`update sessions set expires_at = now() where user_id = ${id}`,
  ],
])('a token %s is refused among good ones, and is not used up by that', async (_, code, spoil) => {
  const [good, bad] = [await mill.register(), await mill.register()]
  await spoil(bad.id)
  const [one, other] = await Promise.all([refresh(good.refresh_token), refresh(bad.refresh_token)])
  expect([codeOf(one), codeOf(other)]).toEqual(['won', code])
  const [row] = await mill.database.owner`
    select count(*)::int as n from refresh_tokens t join sessions s on s.id = t.session_id where s.user_id = ${bad.id} and used_at is not null`
  expect(row?.['n']).toBe(0)
})

test('tokens that have expired go when their session is refreshed', async () => {
  const user = await mill.register()
  const { body } = await refresh(user.refresh_token)
  await mill.database.owner`
    update refresh_tokens set expires_at = now() - interval '1 day'
    where used_at is not null and session_id in (select id from sessions where user_id = ${user.id})`
  expect(codeOf(await refresh(body.refresh_token))).toBe('won')
  expect(codeOf(await refresh(user.refresh_token))).toBe('auth.refresh_invalid')
})
