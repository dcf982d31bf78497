import { afterAll, expect, test } from 'vitest'
import { testApp, type TestUser } from '../../test-app.ts'
import { publish, webhookDefinition } from '../workflows/definitions.testing.ts'
import { slugCandidates } from './slugs.ts'

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

test('a workspace that somebody makes is theirs, under a slug of its name or of their choice', async () => {
  const user = await mill.register()
  const made = await user.call('POST', '/api/v1/workspaces', { body: { name: 'Müller & Söhne' } })
  expect(made).toMatchObject({
    status: 201,
    body: { name: 'Müller & Söhne', slug: 'muller-sohne', is_personal: false, role: 'owner', deleted_at: null, purge_at: null },
  })
  expect(made.headers.get('etag')).toBe('"1"')
  expect(await user.call('GET', `/api/v1/workspaces/${made.body.id}`)).toMatchObject({ status: 200, body: made.body })
  const again = await user.call('POST', '/api/v1/workspaces', { body: { name: 'Müller & Söhne' } })
  expect(again.body.slug).toBe(`muller-sohne-${again.body.id.slice(-4)}`)
  const chosen = { name: 'Acme', slug: 'acme-7' }
  expect(await user.call('POST', '/api/v1/workspaces', { body: chosen })).toMatchObject({ status: 201, body: chosen })
  expect(await user.call('POST', '/api/v1/workspaces', { body: chosen })).toMatchObject({
    status: 409,
    body: { code: 'workspaces.slug_taken' },
  })
  const events = (await mill.events()).filter(({ workspace_id }) => workspace_id === made.body.id)
  expect(events.map(({ name }) => name)).toEqual(['workspaces.created', 'workspaces.member.added'])
  expect(events[0]?.actor).toEqual({ type: 'user', id: user.id })
})

test.each([
  { name: '' },
  { name: '   ' },
  { name: 'x'.repeat(201) },
  { name: 'x', slug: 'Acme' },
  { name: 'x', slug: '-a' },
  { name: 'x', slug: 'a/b' },
  { name: 'x', slug: 'аcme' },
  { name: 'x', slug: 'a'.repeat(49) },
  { name: 'x', id: '01900000-0000-7000-8000-000000000001' },
  { name: 'x', personal_of: '01900000-0000-7000-8000-000000000001' },
  { name: 'x', role: 'owner' },
  { name: 'x', user_id: '01900000-0000-7000-8000-000000000001' },
  {},
])('%j is no workspace', async (body) => {
  const user = await mill.register()
  expect(await user.call('POST', '/api/v1/workspaces', { body })).toMatchObject({ status: 422 })
})

test('of fifty who want one slug at once, one gets it', async () => {
  const user = await mill.register()
  const sent = Array.from({ length: 25 }, () => user.call('POST', '/api/v1/workspaces', { body: { name: 'Race', slug: 'race' } }))
  const other = await mill.register()
  sent.push(...Array.from({ length: 25 }, () => other.call('POST', '/api/v1/workspaces', { body: { name: 'Race', slug: 'race' } })))
  const statuses = (await Promise.all(sent)).map(({ status }) => status)
  expect(statuses.filter((status) => status === 201)).toHaveLength(1)
  expect(statuses.filter((status) => status === 409)).toHaveLength(49)
})

test('a plan says how many workspaces somebody may own', async () => {
  const user = await mill.register()
  await mill.database.owner`update users set plan = 'free' where id = ${user.id}`
  const sent = Array.from({ length: 5 }, (_, n) => user.call('POST', '/api/v1/workspaces', { body: { name: `Plan ${n}` } }))
  const replies = await Promise.all(sent)
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(replies.find(({ status }) => status !== 201)).toMatchObject({
    status: 402,
    body: { code: 'plans.limit_reached', feature: 'workspaces', limit: 2, used: 2 },
  })
})

test('a workspace gets another name and slug, and nobody else gets the old one', async () => {
  const user = await mill.register()
  const { body: team } = await user.call('POST', '/api/v1/workspaces', { body: { name: 'Old', slug: 'old-name' } })
  const path = `/api/v1/workspaces/${team.id}`
  const renamed = await user.call('PUT', path, { body: { name: 'New', slug: 'new-name' }, headers: { 'if-match': '"1"' } })
  expect(renamed).toMatchObject({ status: 200, body: { name: 'New', slug: 'new-name' } })
  expect(renamed.headers.get('etag')).toBe('"2"')
  expect(await user.call('PUT', path, { body: { name: 'Stale' }, headers: { 'if-match': '"1"' } })).toMatchObject({ status: 412 })
  const other = await mill.register()
  for (const slug of ['old-name', 'new-name']) {
    expect(await other.call('POST', '/api/v1/workspaces', { body: { name: 'Thief', slug } })).toMatchObject({ status: 409 })
    expect(await other.call('PUT', `/api/v1/workspaces/${other.workspace_id}`, { body: { slug } })).toMatchObject({ status: 409 })
  }
  expect(await user.call('PUT', path, { body: { slug: 'old-name' } })).toMatchObject({ status: 200, body: { slug: 'old-name' } })
  const event = (await mill.events()).find(({ name, workspace_id }) => name === 'workspaces.updated' && workspace_id === team.id)
  expect(event).toMatchObject({
    data: { workspace_id: team.id, slug: 'new-name', fields: ['name', 'slug'] },
    changes: { before: { name: 'Old', slug: 'old-name' }, after: { name: 'New', slug: 'new-name' } },
  })
  for (const body of [{}, { role: 'owner' }, { personal_of: null }, { deleted_at: null }, { revision: 7 }, { name: null }]) {
    expect(await user.call('PUT', path, { body })).toMatchObject({ status: 422 })
  }
})

test('webhook addresses with an old slug go on working, on every process', async () => {
  const user = await mill.register('renamer')
  await publish(user, webhookDefinition('orders'))
  const second = await testApp({ beside: mill })
  try {
    const renamed = await user.call('PUT', `/api/v1/workspaces/${user.workspace_id}`, { body: { slug: 'renamed' } })
    expect(renamed).toMatchObject({ status: 200 })
    for (const slug of ['renamer', 'renamed']) {
      expect(await mill.call('POST', `/hooks/${slug}/orders`)).toMatchObject({ status: 200 })
      await expect.poll(() => second.call('POST', `/hooks/${slug}/orders`), { timeout: 1_000 }).toMatchObject({ status: 200 })
    }
  } finally {
    await second.close()
  }
})

test('a workspace keeps at most ten slugs', async () => {
  const user = await mill.register('collector')
  const rename = (slug: string) => user.call('PUT', `/api/v1/workspaces/${user.workspace_id}`, { body: { slug } })
  for (let number = 2; number <= 10; number += 1) expect(await rename(`collector-${number}`)).toMatchObject({ status: 200 })
  expect(await rename('collector-11')).toMatchObject({ status: 409, body: { code: 'workspaces.too_many_slugs' } })
  expect(await rename('collector')).toMatchObject({ status: 200 })
  const other = await mill.register()
  expect(await other.call('PUT', `/api/v1/workspaces/${other.workspace_id}`, { body: { slug: 'collector-11' } })).toMatchObject({
    status: 200,
  })
})

test.each([
  ['thandi.m', ['thandi-m', 'thandi-m-0001', 'thandi-m-000000000001']],
  ['__', ['workspace', 'workspace-0001', 'workspace-000000000001']],
  ['Ünïted Mills!', ['united-mills', 'united-mills-0001', 'united-mills-000000000001']],
  ['a'.repeat(39), ['a'.repeat(35), `${'a'.repeat(35)}-0001`, `${'a'.repeat(35)}-000000000001`]],
])('the slug for %s is one of %j', (name, slugs) => {
  const candidates = slugCandidates(name, '01900000-0000-7000-8000-000000000001')
  expect(candidates).toEqual(slugs)
  for (const slug of candidates) expect(slug).toMatch(/^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$/)
})
