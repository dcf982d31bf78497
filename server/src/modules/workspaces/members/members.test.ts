import { afterAll, expect, test } from 'vitest'
import type { WorkspaceRole } from '../../../platform/context.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { makeTeam } from '../team.testing.ts'
import { mayChange } from './standing.ts'

const mill = await testApp()
afterAll(mill.close)

const [olga, adam, mia, vera, stranger] = (await Promise.all(
  ['olga', 'adam', 'mia', 'vera', 'stranger'].map((name) => mill.register(name)),
)) as [TestUser, TestUser, TestUser, TestUser, TestUser]

/** Olga owns it, Adam is an admin, Mia a member, Vera a viewer. */
const fullTeam = async () => {
  const team = await makeTeam(mill, olga)
  await team.join(adam, 'admin')
  await team.join(mia, 'member')
  await team.join(vera, 'viewer')
  return team
}
const roles = async (team: { readonly id: string }): Promise<object> => {
  const rows = await mill.database.owner`
    select u.username, m.role
    from workspace_members m
    join users u on u.id = m.user_id
    where m.workspace_id = ${team.id}`
  return Object.fromEntries(rows.map(({ username, role }) => [username, role]))
}

test('members see who belongs to the workspace, page by page, by role and by name', async () => {
  const team = await fullTeam()
  const all = await team.as(vera)('GET', '/members?order=asc&total=true')
  expect(all).toMatchObject({ status: 200, body: { total: 4, next_cursor: null } })
  expect(all.body.items.map((member: { username: string; role: string }) => [member.username, member.role])).toEqual([
    ['olga', 'owner'],
    ['adam', 'admin'],
    ['mia', 'member'],
    ['vera', 'viewer'],
  ])
  expect(all.body.items[1]).toEqual({
    user_id: adam.id,
    email: adam.email,
    username: 'adam',
    name: null,
    avatar_url: null,
    is_active: true,
    role: 'admin',
    created_at: expect.any(String),
  })
  for (const order of ['asc', 'desc']) {
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page = await team.as(mia)('GET', `/members?limit=3&order=${order}${cursor === '' ? '' : `&cursor=${cursor}`}`)
      seen.push(...page.body.items.map(({ username }: { username: string }) => username))
      cursor = page.body.next_cursor
    }
    expect(seen).toEqual(order === 'asc' ? ['olga', 'adam', 'mia', 'vera'] : ['vera', 'mia', 'adam', 'olga'])
  }
  const found = async (query: string) =>
    (await team.as(mia)('GET', `/members?${query}`)).body.items.map(({ username }: { username: string }) => username)
  expect(await found('search=OLG')).toEqual(['olga'])
  expect(await found('search=example.org&role=viewer')).toEqual(['vera'])
  expect(await found('search=%25')).toEqual([])
  expect(await found('search=stranger')).toEqual([])
  for (const query of ['role=god', 'search=', `search=${'x'.repeat(201)}`, 'cursor=bm9uZQ', 'workspace_id=x'])
    expect(await team.as(mia)('GET', `/members?${query}`)).toMatchObject({ status: 422 })
})

test('a stranger finds none of it, whatever they name', async () => {
  const team = await fullTeam()
  const own = await makeTeam(mill, stranger)
  const tries: [string, string, unknown?][] = [
    ['GET', ''],
    ['PUT', '', { name: 'Mine' }],
    ['GET', '/members'],
    ['PUT', `/members/${stranger.id}`, { role: 'owner' }],
    ['PUT', `/members/${olga.id}`, { role: 'viewer' }],
    ['DELETE', `/members/${olga.id}`],
    ['POST', '/leave'],
    ['POST', '/transfer', { user_id: stranger.id }],
  ]
  for (const [method, path, body] of tries) {
    expect(await team.as(stranger)(method, path, body), `${method} ${path}`).toMatchObject({
      status: 404,
      body: { code: 'workspaces.not_found' },
    })
    // The header names a workspace of the stranger's own: the path is what counts.
    const headers = { 'x-workspace-id': own.id }
    const sly = await stranger.call(method, `/api/v1/workspaces/${team.id}${path}`, { ...(body === undefined ? {} : { body }), headers })
    expect(sly, `${method} ${path}`).toMatchObject({ status: 404 })
  }
  // Members of one workspace are no members of another.
  for (const [method, body] of [
    ['PUT', { role: 'viewer' }],
    ['DELETE', undefined],
  ] as const) {
    expect(await own.as(stranger)(method, `/members/${olga.id}`, body)).toMatchObject({
      status: 404,
      body: { code: 'workspaces.member_not_found' },
    })
  }
  expect(await own.as(stranger)('POST', '/transfer', { user_id: olga.id })).toMatchObject({ status: 404 })
  expect(await roles(team)).toEqual({ olga: 'owner', adam: 'admin', mia: 'member', vera: 'viewer' })
})

test('members and viewers manage nothing', async () => {
  const team = await fullTeam()
  for (const user of [mia, vera]) {
    const tries: [string, string, unknown?][] = [
      ['PUT', '', { name: 'Mine' }],
      ['PUT', `/members/${user.id}`, { role: 'owner' }],
      ['PUT', `/members/${vera.id}`, { role: 'viewer' }],
      ['DELETE', `/members/${vera.id}`],
      ['POST', '/transfer', { user_id: user.id }],
    ]
    for (const [method, path, body] of tries)
      expect(await team.as(user)(method, path, body), `${method} ${path}`).toMatchObject({ status: 403, body: { code: 'http.forbidden' } })
  }
  expect(await team.as(adam)('POST', '/transfer', { user_id: adam.id })).toMatchObject({ status: 403 })
  expect(await roles(team)).toEqual({ olga: 'owner', adam: 'admin', mia: 'member', vera: 'viewer' })
})

test('an admin gives roles up to their own and makes and unmakes no owner', async () => {
  const team = await fullTeam()
  const put = (user: TestUser, role: string) => team.as(adam)('PUT', `/members/${user.id}`, { role })
  expect(await put(mia, 'admin')).toMatchObject({ status: 200, body: { user_id: mia.id, role: 'admin' } })
  expect(await put(mia, 'viewer')).toMatchObject({ status: 200, body: { role: 'viewer' } })
  for (const [user, role] of [
    [mia, 'owner'],
    [adam, 'owner'],
    [olga, 'owner'],
    [olga, 'member'],
  ] as const)
    expect(await put(user, role)).toMatchObject({ status: 403, body: { code: 'workspaces.role_above_own' } })
  expect(await team.as(adam)('DELETE', `/members/${olga.id}`)).toMatchObject({ status: 403 })
  expect(await put(adam, 'member')).toMatchObject({ status: 200 })
  expect(await put(mia, 'admin')).toMatchObject({ status: 403, body: { code: 'http.forbidden' } })
  expect(await roles(team)).toEqual({ olga: 'owner', adam: 'member', mia: 'viewer', vera: 'viewer' })
  for (const body of [{}, { role: 'god' }, { role: 'admin', user_id: olga.id }, { role: 'admin', workspace_id: olga.workspace_id }])
    expect(await team.as(olga)('PUT', `/members/${mia.id}`, body)).toMatchObject({ status: 422 })
})

test('a change of a role says what was and what is, and one that changes nothing says nothing', async () => {
  const team = await fullTeam()
  const told = async () =>
    (await mill.events()).filter(({ name, workspace_id }) => name.startsWith('workspaces.member.role') && workspace_id === team.id)
  await team.as(olga)('PUT', `/members/${mia.id}`, { role: 'member' })
  expect(await told()).toEqual([])
  await team.as(olga)('PUT', `/members/${mia.id}`, { role: 'admin' })
  expect(await told()).toMatchObject([
    {
      name: 'workspaces.member.role_changed',
      actor: { type: 'user', id: olga.id },
      data: { workspace_id: team.id, user_id: mia.id, role: 'admin' },
      changes: { before: { role: 'member' }, after: { role: 'admin' } },
    },
  ])
})

test('a new role counts with the next request, on every process', async () => {
  const second = await testApp({ beside: mill })
  try {
    const team = await fullTeam()
    const there = (method: string, path: string, body?: unknown) =>
      second.as(mia)(method, `/api/v1/workspaces/${team.id}${path}`, body === undefined ? {} : { body })
    expect(await there('PUT', '', { name: 'By Mia' })).toMatchObject({ status: 403 })
    await team.as(olga)('PUT', `/members/${mia.id}`, { role: 'admin' })
    expect(await team.as(mia)('PUT', '', { name: 'By Mia' })).toMatchObject({ status: 200 })
    await expect.poll(() => there('PUT', '', { name: 'By Mia again' }), { timeout: 1_000 }).toMatchObject({ status: 200 })
    await team.as(olga)('DELETE', `/members/${mia.id}`)
    expect(await team.as(mia)('GET')).toMatchObject({ status: 404 })
    await expect.poll(() => there('GET', ''), { timeout: 1_000 }).toMatchObject({ status: 404 })
  } finally {
    await second.close()
  }
})

test('who leaves or is removed reaches the workspace no more, and keeps the rest', async () => {
  const team = await fullTeam()
  expect(await team.as(vera)('POST', '/leave')).toMatchObject({ status: 200 })
  expect(await team.as(vera)('GET')).toMatchObject({ status: 404 })
  expect(await team.as(vera)('POST', '/leave')).toMatchObject({ status: 404 })
  expect(await team.as(adam)('DELETE', `/members/${mia.id}`)).toMatchObject({ status: 200 })
  expect(await team.as(mia)('GET', '/members')).toMatchObject({ status: 404 })
  expect(await team.as(adam)('DELETE', `/members/${adam.id}`)).toMatchObject({ status: 200 })
  expect(await roles(team)).toEqual({ olga: 'owner' })
  expect(await vera.call('GET', '/api/v1/auth/me')).toMatchObject({ status: 200 })
  const removed = (await mill.events()).filter(({ name, workspace_id }) => name === 'workspaces.member.removed' && workspace_id === team.id)
  expect(removed.map(({ data }) => data)).toEqual([
    { workspace_id: team.id, user_id: vera.id, reason: 'left' },
    { workspace_id: team.id, user_id: mia.id, reason: 'removed' },
    { workspace_id: team.id, user_id: adam.id, reason: 'left' },
  ])
})

test('the last owner cannot leave, be removed or become something else', async () => {
  const team = await fullTeam()
  const last = { status: 409, body: { code: 'workspaces.last_owner' } }
  expect(await team.as(olga)('POST', '/leave')).toMatchObject(last)
  expect(await team.as(olga)('DELETE', `/members/${olga.id}`)).toMatchObject(last)
  expect(await team.as(olga)('PUT', `/members/${olga.id}`, { role: 'admin' })).toMatchObject(last)
  await team.as(olga)('PUT', `/members/${adam.id}`, { role: 'owner' })
  await mill.database.owner`update users set is_active = false where id = ${adam.id}`
  expect(await team.as(olga)('POST', '/leave')).toMatchObject(last)
  await mill.database.owner`update users set is_active = true where id = ${adam.id}`
  expect(await team.as(olga)('POST', '/leave')).toMatchObject({ status: 200 })
  expect(await roles(team)).toEqual({ adam: 'owner', mia: 'member', vera: 'viewer' })
})

test('when two owners leave at once, fifty times over, one stays', async () => {
  for (let round = 0; round < 10; round += 1) {
    const team = await makeTeam(mill, olga)
    await team.join(adam, 'owner')
    const out: ((user: TestUser) => ReturnType<ReturnType<typeof team.as>>)[] = [
      (user) => team.as(user)('POST', '/leave'),
      (user) => team.as(user)('DELETE', `/members/${user.id}`),
      (user) => team.as(user)('PUT', `/members/${user.id}`, { role: 'viewer' }),
      (user) => team.as(user === olga ? adam : olga)('DELETE', `/members/${user.id}`),
      (user) => team.as(user === olga ? adam : olga)('PUT', `/members/${user.id}`, { role: 'member' }),
    ]
    const replies = await Promise.all(out.flatMap((way) => [way(olga), way(adam)]))
    expect(replies.filter(({ status }) => status >= 500)).toEqual([])
    expect(replies.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
    expect(Object.values(await roles(team)).filter((role) => role === 'owner')).toHaveLength(1)
  }
})

test('an owner hands the workspace over and is an admin of it', async () => {
  const team = await fullTeam()
  expect(await team.as(olga)('POST', '/transfer', { user_id: mia.id })).toMatchObject({
    status: 200,
    body: { user_id: mia.id, role: 'owner' },
  })
  expect(await roles(team)).toEqual({ olga: 'admin', adam: 'admin', mia: 'owner', vera: 'viewer' })
  expect(await team.as(olga)('POST', '/transfer', { user_id: olga.id })).toMatchObject({ status: 403 })
  expect((await mill.events()).findLast(({ name }) => name === 'workspaces.transferred')?.data).toEqual({
    workspace_id: team.id,
    from_user_id: olga.id,
    to_user_id: mia.id,
  })
  await mill.database.owner`update users set is_active = false where id = ${vera.id}`
  expect(await team.as(mia)('POST', '/transfer', { user_id: vera.id })).toMatchObject({
    status: 409,
    body: { code: 'workspaces.last_owner' },
  })
  await mill.database.owner`update users set is_active = true where id = ${vera.id}`
  for (const body of [{}, { user_id: 'x' }, { user_id: mia.id, role: 'owner' }])
    expect(await team.as(mia)('POST', '/transfer', body)).toMatchObject({ status: 422 })
})

test('nobody is handed a workspace whose plan gives them no more', async () => {
  const team = await fullTeam()
  await makeTeam(mill, vera)
  await mill.database.owner`update users set plan = 'free' where id = ${vera.id}`
  for (const sent of [
    team.as(olga)('POST', '/transfer', { user_id: vera.id }),
    team.as(olga)('PUT', `/members/${vera.id}`, { role: 'owner' }),
  ])
    expect(await sent).toMatchObject({ status: 402, body: { code: 'plans.limit_reached', feature: 'workspaces' } })
  expect(await roles(team)).toMatchObject({ olga: 'owner', vera: 'viewer' })
  await mill.database.owner`update users set plan = 'enterprise' where id = ${vera.id}`
})

test('a personal workspace is its user’s alone', async () => {
  const own = (method: string, path: string, body?: unknown) =>
    olga.call(method, `/api/v1/workspaces/${olga.workspace_id}${path}`, body === undefined ? {} : { body })
  const personal = { status: 409, body: { code: 'workspaces.personal' } }
  expect(await own('POST', '/leave')).toMatchObject(personal)
  expect(await own('DELETE', `/members/${olga.id}`)).toMatchObject(personal)
  expect(await own('PUT', `/members/${olga.id}`, { role: 'viewer' })).toMatchObject(personal)
  expect(await own('POST', '/transfer', { user_id: adam.id })).toMatchObject(personal)
})

test.each<[WorkspaceRole, WorkspaceRole | null, WorkspaceRole | null, boolean]>([
  ['owner', null, 'owner', true],
  ['owner', 'owner', null, true],
  ['admin', 'admin', null, true],
  ['admin', 'viewer', 'admin', true],
  ['admin', 'viewer', 'owner', false],
  ['admin', 'owner', 'viewer', false],
  ['admin', 'owner', null, false],
  ['member', null, 'admin', false],
])('whether a %s makes a %s a %s: %s', (by, from, to, may) => expect(mayChange(by, from, to)).toBe(may))
