import { afterAll, expect, test } from 'vitest'
import { testApp, type TestUser } from '../../../test-app.ts'
import { makeTeam, type Team } from '../../workspaces/team.testing.ts'
import { setUpTotp } from '../mfa/codes.testing.ts'
import { mailsTo } from '../recovery/post.testing.ts'

const mill = await testApp({ env: { MILLRACE_REGISTRATION: 'open' } })
afterAll(mill.close)
const olga = await mill.register('olga')

let addresses = 0
/** Each time from an address that nobody used before, so that no limit is met by accident. */
const post = (path: string, body: unknown) => {
  addresses += 1
  return mill.call('POST', `/api/v1/${path}`, { body, headers: { 'x-forwarded-for': `198.19.${addresses >> 8}.${addresses & 255}` } })
}
const currentOf = async (holder: { readonly access_token: string }): Promise<string> =>
  (await mill.as(holder)('GET', '/api/v1/auth/me')).body.workspace_id
const refresh = (refresh_token: string) => post('auth/refresh', { refresh_token })
const invite = async (team: Team, email: string, role = 'member'): Promise<string> => {
  expect(await team.as(olga)('POST', '/invitations', { email, role })).toMatchObject({ status: 201 })
  const mail = (await mailsTo(mill, email)).findLast(({ kind }) => kind === 'workspaces.invitation')
  return /#token=(mlri_[\w-]{43})\b/.exec(mail?.text ?? '')?.[1] as string
}
const password = 'a mill turns on water'

test('a session works in the workspace that it was switched to, also after a refresh', async () => {
  const user = await mill.register()
  const team = await makeTeam(mill, user)
  expect(await currentOf(user)).toBe(user.workspace_id)
  const switched = await team.as(user)('POST', '/switch')
  expect(switched).toMatchObject({ status: 200, body: { workspace_id: team.id, token_type: 'bearer', expires_in: expect.any(Number) } })
  expect(await currentOf(switched.body)).toBe(team.id)
  // What was given out before goes on where it was.
  expect(await currentOf(user)).toBe(user.workspace_id)
  const next = await refresh(user.refresh_token)
  expect(next.status).toBe(200)
  expect(await currentOf(next.body)).toBe(team.id)
  const back = await mill.as(next.body)('POST', `/api/v1/workspaces/${user.workspace_id}/switch`)
  expect(await currentOf(back.body)).toBe(user.workspace_id)
  const told = (await mill.events()).filter(({ name, actor }) => name === 'identity.session.switched' && actor.id === user.id)
  expect(told.map(({ changes }) => changes)).toEqual([
    { before: { workspace_id: user.workspace_id }, after: { workspace_id: team.id } },
    { before: { workspace_id: team.id }, after: { workspace_id: user.workspace_id } },
  ])
})

test('nobody switches to a workspace of others, nor by an API key', async () => {
  const user = await mill.register()
  const team = await makeTeam(mill, olga)
  for (const id of [team.id, olga.workspace_id, mill.app.newId()])
    expect(await user.call('POST', `/api/v1/workspaces/${id}/switch`)).toMatchObject({
      status: 404,
      body: { code: 'workspaces.not_found' },
    })
  const { body } = await user.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['workspace:read'] } })
  const byKey = await mill.call('POST', `/api/v1/workspaces/${user.workspace_id}/switch`, { headers: { 'x-api-key': body.key } })
  expect(byKey).toMatchObject({ status: 403 })
})

test('a session whose workspace is gone goes on in the personal one', async () => {
  const ways: ((team: Team, user: TestUser) => Promise<unknown>)[] = [
    (team, user) => team.as(olga)('DELETE', `/members/${user.id}`),
    (team) => team.as(olga)('DELETE'),
    (team) => mill.database.owner`delete from workspaces where id = ${team.id}`,
  ]
  for (const take of ways) {
    const user = await mill.register()
    const team = await makeTeam(mill, olga)
    await team.join(user, 'member')
    const { body } = await team.as(user)('POST', '/switch')
    await take(team, user)
    if (take !== ways[2])
      expect(await mill.as(body)('GET', '/api/v1/auth/me')).toMatchObject({ status: 401, body: { code: 'auth.token_expired' } })
    const next = await refresh(user.refresh_token)
    expect(next.status).toBe(200)
    expect(await currentOf(next.body)).toBe(user.workspace_id)
  }
})

test('who has no account makes one with the invitation, and is in the workspace with a confirmed address', async () => {
  const team = await makeTeam(mill, olga)
  const token = await invite(team, 'nina@example.org', 'admin')
  const weak = await post('invitations/register', { token, password: 'password1234' })
  expect(weak).toMatchObject({ status: 422, body: { code: 'auth.password_weak' } })
  const made = await post('invitations/register', { token, password, name: 'Nina' })
  expect(made).toMatchObject({
    status: 201,
    body: { user: { email: 'nina@example.org', username: 'nina', email_verified: true, role: 'user' } },
  })
  expect(await currentOf(made.body)).toBe(team.id)
  const members = (await team.as(olga)('GET', '/members')).body.items
  expect(members).toContainEqual(expect.objectContaining({ email: 'nina@example.org', role: 'admin' }))
  expect(await post('invitations/register', { token, password })).toMatchObject({
    status: 404,
    body: { code: 'workspaces.invitation_not_found' },
  })
  const joined = (await mill.events()).findLast(({ name, workspace_id }) => name === 'workspaces.member.added' && workspace_id === team.id)
  expect(joined?.actor).toEqual({ type: 'user', id: made.body.user.id })
})

test('an invitation lets somebody in where registration is closed', async () => {
  const closed = await testApp({ beside: mill, env: { MILLRACE_REGISTRATION: 'closed' } })
  try {
    const token = await invite(await makeTeam(mill, olga), 'nora@example.org')
    expect(await closed.call('POST', '/api/v1/auth/register', { body: { email: 'nora@example.org', password } })).toMatchObject({
      status: 403,
    })
    expect(await closed.call('POST', '/api/v1/invitations/register', { body: { token, password } })).toMatchObject({ status: 201 })
  } finally {
    await closed.close()
  }
})

test('of many who register with one invitation at once, one does', async () => {
  const team = await makeTeam(mill, olga)
  const token = await invite(team, 'many@example.org')
  const replies = await Promise.all(Array.from({ length: 50 }, () => post('invitations/register', { token, password })))
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(replies.filter(({ status }) => ![201, 404, 409, 503].includes(status))).toEqual([])
  const rows = await mill.database.owner`
    select from workspace_members m
    join users u on u.id = m.user_id
    where m.workspace_id = ${team.id} and u.email = 'many@example.org'`
  expect(rows).toHaveLength(1)
})

test('nothing but the invitation says who registers, where, and as what', async () => {
  const token = await invite(await makeTeam(mill, olga), 'mass@example.org', 'viewer')
  for (const more of [
    { email: 'eve@example.org' },
    { role: 'owner' },
    { workspace_id: olga.workspace_id },
    { user_id: olga.id },
    { email_verified: true },
    { plan: 'enterprise' },
  ])
    expect(await post('invitations/register', { token, password, ...more })).toMatchObject({ status: 422 })
})

test('who has an account signs in with the invitation and joins, with their second factor where they have one', async () => {
  const team = await makeTeam(mill, olga)
  const user = await mill.register('sam')
  const token = await invite(team, user.email)
  expect(await post('invitations/register', { token, password })).toMatchObject({ status: 409, body: { code: 'users.email_taken' } })
  expect(await post('invitations/sign-in', { token, password: 'not the right one' })).toMatchObject({
    status: 401,
    body: { code: 'auth.invalid_credentials' },
  })
  await setUpTotp(user, Date.now())
  expect(await post('invitations/sign-in', { token, password: user.password })).toMatchObject({
    status: 401,
    body: { code: 'auth.mfa_required' },
  })
  expect(await team.as(user)('GET')).toMatchObject({ status: 404 })
  const other = await mill.register('sue')
  const second = await invite(team, other.email)
  const joined = await post('invitations/sign-in', { token: second, password: other.password })
  expect(joined).toMatchObject({ status: 200, body: { user: { id: other.id } } })
  expect(await team.as(other)('GET')).toMatchObject({ status: 200, body: { role: 'member' } })
  expect(await post('invitations/sign-in', { token: second, password: other.password })).toMatchObject({ status: 404 })
})

test('the page behind the link is the same for every token, and says nothing of any', async () => {
  const token = await invite(await makeTeam(mill, olga), 'page@example.org')
  const page = await mill.call('GET', '/invitation')
  expect(page).toMatchObject({ status: 200 })
  expect(page.headers.get('content-type')).toContain('text/html')
  for (const action of ['register', 'sign-in', 'decline']) expect(page.body).toContain(`/api/v1/invitations/${action}`)
  expect(page.body).not.toContain(token)
})
