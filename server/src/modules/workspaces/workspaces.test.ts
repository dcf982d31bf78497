import { afterAll, expect, test } from 'vitest'
import { testApp, type TestUser } from '../../test-app.ts'
import { findBySlug, slugCandidates, slugsOf } from './workspaces.ts'

const mill = await testApp()
afterAll(mill.close)

/** Makes the user a member of further workspaces, as an invitation would. */
const join = async (user: TestUser, count: number): Promise<string[]> => {
  const ids = Array.from({ length: count }, () => mill.app.newId())
  for (const [n, id] of ids.entries()) {
    await mill.database.owner`
      insert into workspaces (id, name, slug, created_at, updated_at)
      values (${id}, ${`Team ${n}`}, ${`team-${id}`}, now(), now())`
    await mill.database.owner`
      insert into workspace_members (workspace_id, user_id, role, created_at)
      values (${id}, ${user.id}, 'viewer', now())`
  }
  return ids
}

test('everybody has a workspace of their own', async () => {
  const user = await mill.register('thandi')
  const { status, body } = await user.call('GET', '/api/v1/workspaces?total=true')
  expect(status).toBe(200)
  expect(body).toMatchObject({
    items: [{ id: user.workspace_id, slug: 'thandi', is_personal: true, role: 'owner' }],
    next_cursor: null,
    total: 1,
  })
  const one = await user.call('GET', `/api/v1/workspaces/${user.workspace_id}`)
  expect(one).toMatchObject({ status: 200, body: body.items[0] })
  expect(one.headers.get('etag')).toBe('"1"')
})

test("somebody else's workspace is not there", async () => {
  const [one, two] = [await mill.register(), await mill.register()]
  const foreign = await one.call('GET', `/api/v1/workspaces/${two.workspace_id}`)
  const missing = await one.call('GET', '/api/v1/workspaces/01900000-0000-7000-8000-000000000000')
  expect(foreign).toMatchObject({ status: 404, body: { code: 'workspaces.not_found' } })
  expect({ ...foreign.body, request_id: 0, instance: 0, path: 0 }).toEqual({ ...missing.body, request_id: 0, instance: 0, path: 0 })
  expect((await one.call('GET', '/api/v1/workspaces')).body.items.map(({ id }: { id: string }) => id)).toEqual([one.workspace_id])
  expect(await one.call('GET', '/api/v1/workspaces/mine')).toMatchObject({ status: 422 })
})

test('a list of workspaces is paged without losing or repeating one', async () => {
  const user = await mill.register()
  const ids = [user.workspace_id, ...(await join(user, 6))]
  for (const order of ['asc', 'desc'] as const) {
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { status, body } = await user.call(
        'GET',
        `/api/v1/workspaces?limit=3&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      expect(status).toBe(200)
      seen.push(...body.items.map(({ id }: { id: string }) => id))
      cursor = body.next_cursor
    }
    expect(seen).toEqual(order === 'asc' ? ids : ids.toReversed())
  }
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=x', 'order=up', 'nonsense=1']) {
    expect(await user.call('GET', `/api/v1/workspaces?${query}`)).toMatchObject({ status: 422 })
  }
})

test('a caller works in a workspace that they joined, in the role they have there', async () => {
  const user = await mill.register()
  const [team] = (await join(user, 1)) as [string]
  const fresh = await mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password } })
  const me = await mill.as(fresh.body)('GET', '/api/v1/auth/me', { headers: { 'x-workspace-id': team } })
  expect(me).toMatchObject({
    status: 200,
    body: { workspace_id: team, workspaces: [{ role: 'owner' }, { id: team, role: 'viewer', is_personal: false }] },
  })
})

test('a workspace is found by its slug, and slugs by their workspaces', async () => {
  const user = await mill.register('naledi.k')
  const ctx = mill.app.asSystem('a test looks for a workspace')
  expect(await findBySlug(ctx, 'naledi-k')).toEqual({ id: user.workspace_id, slug: 'naledi-k' })
  expect(await findBySlug(ctx, 'nobody')).toBe(null)
  expect([...(await slugsOf(ctx, [user.workspace_id]))]).toEqual([[user.workspace_id, 'naledi-k']])
  expect((await slugsOf(ctx, [])).size).toBe(0)
})

test.each([
  ['thandi.m', ['thandi-m', 'thandi-m-0001', 'thandi-m-000000000001']],
  ['__', ['workspace', 'workspace-0001', 'workspace-000000000001']],
  ['a'.repeat(39), ['a'.repeat(35), `${'a'.repeat(35)}-0001`, `${'a'.repeat(35)}-000000000001`]],
])('the slug for %s is one of %j', (name, slugs) => {
  const candidates = slugCandidates(name, '01900000-0000-7000-8000-000000000001')
  expect(candidates).toEqual(slugs)
  for (const slug of candidates) expect(slug).toMatch(/^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$/)
})
