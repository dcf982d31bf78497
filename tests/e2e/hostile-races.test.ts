import { afterAll, expect, test, vi } from 'vitest'
import { setupLink } from '../../server/src/modules/identity/identity.ts'
import { create, manual, publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { testApp, type TestReply } from '../../server/src/test-app.ts'
import { expectNoFault, fromAnywhere, rowCounts } from './attack.ts'

const mill = await testApp()
afterAll(mill.close)
const nobody = fromAnywhere(mill.call)
const password = 'a mill turns on water'

/** The same thing fifty times at once. */
const fifty = async (act: (index: number) => Promise<TestReply>): Promise<readonly TestReply[]> => {
  const replies = await Promise.all(Array.from({ length: 50 }, (_, index) => act(index)))
  // Whoever comes too late for a hash may be told to come again: that is no fault.
  for (const reply of replies.filter(({ status }) => status !== 503)) expectNoFault(reply, 'one of fifty')
  return replies
}

const withStatus = (replies: readonly TestReply[], status: number): readonly TestReply[] =>
  replies.filter((reply) => reply.status === status)

const count = async (table: string): Promise<number> => (await rowCounts(mill))[table] ?? -1

test('one set-up link makes one admin, and no other link makes a second', async () => {
  const links = await Promise.all([setupLink(mill.app), setupLink(mill.app)])
  const tokens = links.map((link) => new URL(link ?? '').searchParams.get('token'))
  const replies = await fifty((index) =>
    nobody('POST', '/api/v1/auth/setup', { body: { token: tokens[index % 2], email: `admin${index % 25}@example.org`, password } }),
  )
  expect(withStatus(replies, 201)).toHaveLength(1)
  expect(new Set(replies.map(({ status }) => status))).toEqual(
    new Set([201, 409, 503].filter((status) => withStatus(replies, status).length > 0)),
  )
  const admins = await mill.database.owner`select 1 from users where role = 'admin'`
  expect(admins).toHaveLength(1)
  expect(await mill.database.owner`select 1 from setup_tokens`).toHaveLength(0)
})

test('one e-mail address and one username make one account, in whatever case they come', async () => {
  const [users, workspaces] = [await count('users'), await count('workspaces')]
  const byEmail = await fifty((index) =>
    nobody('POST', '/api/v1/auth/register', { body: { email: index % 2 === 0 ? 'twin@example.org' : 'TWIN@Example.ORG', password } }),
  )
  expect([withStatus(byEmail, 201).length, byEmail.length - withStatus(byEmail, 409).length - withStatus(byEmail, 503).length]).toEqual([
    1, 1,
  ])
  const byName = await fifty((index) =>
    nobody('POST', '/api/v1/auth/register', {
      body: { email: `n${index}@example.org`, username: index % 2 === 0 ? 'one-name' : 'ONE-Name', password },
    }),
  )
  expect(withStatus(byName, 201)).toHaveLength(1)
  expect([await count('users'), await count('workspaces')]).toEqual([users + 2, workspaces + 2])
  const strays = await mill.database.owner`
    select 1 from users u where not exists (select 1 from workspace_members m where m.user_id = u.id) or not exists (select 1 from user_passwords p where p.user_id = u.id)`
  expect(strays).toHaveLength(0)
})

test('of fifty uses of one refresh token at once one wins, and the session ends once', async () => {
  const user = await mill.register('tabs')
  const before = await count('sessions')
  const refresh = (refresh_token: string) => nobody('POST', '/api/v1/auth/refresh', { body: { refresh_token } })
  const replies = await fifty(() => refresh(user.refresh_token))
  const [won, ...others] = withStatus(replies, 200)
  expect([others.length, withStatus(replies, 401).length]).toEqual([0, 49])
  expect(await count('sessions')).toBe(before)

  const late = [...withStatus(replies, 401), await refresh(won?.body.refresh_token), await refresh(user.refresh_token)]
  expect(new Set(late.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
    new Set(['401 auth.refresh_reused', '401 auth.session_revoked']),
  )
  expect(late.filter(({ body }) => body.code === 'auth.refresh_reused')).toHaveLength(1)
  expect((await user.call('GET', '/api/v1/auth/me')).status).toBe(401)
  const revoked = (await mill.events()).filter(
    ({ name, data }) => name === 'identity.session.revoked' && (data as { user_id: string }).user_id === user.id,
  )
  expect(revoked).toHaveLength(1)
})

test('one Idempotency-Key starts one thing, however often it is sent', async () => {
  const user = await mill.register('keys')
  const body = { name: 'Once', definition: { nodes: [manual], edges: [] } }
  const once = await fifty(() => user.call('POST', '/api/v1/workflows', { body, headers: { 'idempotency-key': '"one"' } }))
  const made = withStatus(once, 201)
  expect(made.length + withStatus(once, 409).length).toBe(50)
  expect(new Set(made.map((reply) => reply.body.id)).size).toBe(1)
  expect((await user.call('GET', '/api/v1/workflows?total=true')).body.total).toBe(1)

  const id = made[0]?.body.id as string
  expect((await user.call('POST', `/api/v1/workflows/${id}/publish`)).status).toBe(201)
  const started = await fifty(() => user.call('POST', `/api/v1/workflows/${id}/execute`, { headers: { 'idempotency-key': '"go"' } }))
  expect(started.filter(({ status }) => status === 200 || status === 202 || status === 409)).toHaveLength(50)
  expect((await user.call('GET', '/api/v1/workflows/executions?total=true')).body.total).toBe(1)

  const other = await user.call('POST', `/api/v1/workflows/${id}/execute`, { body: { input: 2 }, headers: { 'idempotency-key': '"go"' } })
  expect([other.status, other.body.code]).toEqual([422, 'http.idempotency_mismatch'])
})

test('of fifty changes to one revision one is made', async () => {
  const user = await mill.register('etags')
  const { id } = await create(user, { nodes: [manual], edges: [] })
  const put = await fifty((index) =>
    user.call('PUT', `/api/v1/workflows/${id}`, { body: { name: `N${index}` }, headers: { 'if-match': '"1"' } }),
  )
  expect([withStatus(put, 200).length, withStatus(put, 412).length]).toEqual([1, 49])
  expect((await user.call('GET', `/api/v1/workflows/${id}`)).body.name).toBe(withStatus(put, 200)[0]?.body.name)

  const published = await fifty(() => user.call('POST', `/api/v1/workflows/${id}/publish`, { headers: { 'if-match': '"2"' } }))
  expect([withStatus(published, 201).length, withStatus(published, 412).length]).toEqual([1, 49])
  const again = await fifty(() => user.call('POST', `/api/v1/workflows/${id}/publish`))
  expect(again.map(({ body }) => body.version as number).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 50 }, (_, index) => index + 2),
  )
})

test('one webhook path goes to one of many workflows that want it', async () => {
  const user = await mill.register('paths')
  const drafts = await Promise.all(Array.from({ length: 50 }, () => create(user, webhookDefinition('wanted'))))
  const replies = await fifty((index) => user.call('POST', `/api/v1/workflows/${drafts[index]?.id}/publish`))
  expect(withStatus(replies, 201)).toHaveLength(1)
  expect(new Set(replies.map(({ status }) => status))).toEqual(
    new Set([201, ...[409, 422].filter((status) => withStatus(replies, status).length > 0)]),
  )
  expect((await user.call('GET', '/api/v1/workflows?status=active&total=true')).body.total).toBe(1)
})

test('a workflow that is removed, paused and published while it is called answers every call, and loses none that it accepted', async () => {
  const user = await mill.register('busy')
  const id = await publish(user, webhookDefinition('busy', {}, { done: true }))
  let over = false
  const accepted: string[] = []
  const callers = Array.from({ length: 8 }, async () => {
    while (!over) {
      const reply = await mill.call('POST', '/hooks/busy/busy', { body: {} })
      expectNoFault(reply, 'a call meanwhile')
      const execution_id = reply.headers.get('x-millrace-execution-id')
      if (execution_id !== null) accepted.push(execution_id)
    }
  })
  for (let round = 0; round < 10; round += 1) {
    const acts = [
      user.call('POST', `/api/v1/workflows/${id}/pause`),
      user.call('POST', `/api/v1/workflows/${id}/publish`),
      user.call('POST', `/api/v1/workflows/${id}/resume`),
    ]
    for (const reply of await Promise.all(acts)) expectNoFault(reply, 'a change meanwhile')
    await user.call('POST', `/api/v1/workflows/${id}/execute`).then((reply) => expectNoFault(reply, 'a start meanwhile'))
  }
  const removed = await fifty(() => user.call('DELETE', `/api/v1/workflows/${id}`))
  expect([withStatus(removed, 204).length, withStatus(removed, 404).length]).toEqual([1, 49])
  over = true
  await Promise.all(callers)
  expect(accepted.length).toBeGreaterThan(0)
  expect((await mill.call('POST', '/hooks/busy/busy', { body: {} })).status).toBe(404)
  await vi.waitFor(async () => {
    const rows = await mill.database.owner<{ id: string; status: string }[]>`select id, status from executions where workflow_id = ${id}`
    expect(rows.filter(({ status }) => status !== 'succeeded')).toEqual([])
    const kept = new Set(rows.map((row) => row.id))
    expect(accepted.filter((execution_id) => !kept.has(execution_id))).toEqual([])
  })
})

test('a sign-out amid requests lets none through afterwards', async () => {
  const user = await mill.register('leaving')
  const replies = fifty(() => user.call('PUT', '/api/v1/users/profile', { body: { name: 'Meanwhile' } }))
  expect((await user.call('POST', '/api/v1/auth/logout')).status).toBe(200)
  const after = await fifty(() => user.call('PUT', '/api/v1/users/profile', { body: { name: 'Afterwards' } }))
  expect(withStatus(after, 401)).toHaveLength(50)
  for (const { status } of await replies) expect([200, 401]).toContain(status)
  const [row] = await mill.database.owner`select name from users where id = ${user.id}`
  expect(row?.['name']).not.toBe('Afterwards')
})

test('wrong passwords, many at once, are counted before they are looked at; the right one from elsewhere still works', async () => {
  const user = await mill.register('guessed')
  const replies = await fifty((index) =>
    mill.call('POST', '/api/v1/auth/login', {
      body: { email: user.email, password: `wrong password ${index}` },
      headers: { 'x-forwarded-for': '10.9.9.9' },
    }),
  )
  expect(withStatus(replies, 429).length).toBeGreaterThanOrEqual(30)
  expect(withStatus(replies, 200)).toHaveLength(0)
  const { status } = await mill.call('POST', '/api/v1/auth/login', {
    body: { email: user.email, password: user.password },
    headers: { 'x-forwarded-for': '10.9.9.8' },
  })
  expect(status).toBe(200)
})
