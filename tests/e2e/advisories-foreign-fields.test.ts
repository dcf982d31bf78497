import { afterAll, expect, test } from 'vitest'
import { publish, webhookDefinition } from '../../server/src/modules/workflows/definitions.testing.ts'
import { makeTeam } from '../../server/src/modules/workspaces/team.testing.ts'
import { testApp, type TestUser } from '../../server/src/test-app.ts'
import {
  bytes,
  each,
  expectProblem,
  fromAnywhere,
  isApi,
  nobodys_id,
  oneOf,
  operationsOf,
  pathOf,
  rowCounts,
  statusesIn,
} from './attack.ts'

const mill = await testApp()
afterAll(mill.close)
const victim = await mill.register('victim')
const strangers: TestUser[] = []
while (strangers.length < 25) strangers.push(await mill.register())
const [eve] = strangers as [TestUser]
const operations = (await operationsOf(mill)).filter(isApi)
const nobody = fromAnywhere(mill.call)
const stranger = fromAnywhere(oneOf(strangers.map(({ call }) => call)))

/** Everything that could say whose something is, or what somebody may. */
const claims = (user: TestUser) => ({
  ...{ user_id: user.id, userId: user.id, owner_id: user.id, ownerId: user.id, account_id: user.id, created_by: user.id, sub: user.id },
  ...{ actor_id: user.id, impersonator_id: user.id, id: user.id, user: { id: user.id, role: 'admin' }, on_behalf_of: user.id },
  ...{ workspace_id: user.workspace_id, workspaceId: user.workspace_id, tenant_id: user.workspace_id, organization_id: user.workspace_id },
  ...{ role: 'admin', roles: ['admin'], is_admin: true, permissions: ['users:manage'], scopes: ['*'], workspace_role: 'owner' },
  ...{ plan: 'enterprise', is_active: true, email_verified: true, emailVerified: true },
})

const withoutBodies = new Set(['GET', 'HEAD'])
const inQuery = (fields: object): string =>
  new URLSearchParams(Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)])).toString()
const inHeaders = (user: TestUser): { readonly [name: string]: string } => ({
  ...{ 'x-user-id': user.id, 'x-user': user.id, 'x-forwarded-user': user.email, 'remote-user': user.email, 'x-auth-user': user.id },
  ...{ 'x-role': 'admin', 'x-tenant-id': user.workspace_id, 'x-impersonate-user': user.id, 'x-original-url': '/api/v1/users' },
})

test('who has no session is nobody, whatever the body, the query and the headers say of an owner', async () => {
  const shut = operations.filter(({ is_public }) => !is_public)
  expect(shut.length).toBeGreaterThan(80)
  const before = await rowCounts(mill)
  await each(shut, async (operation) => {
    const path = pathOf(operation, { id: victim.id, user_id: victim.id })
    const body = withoutBodies.has(operation.method) ? {} : { body: claims(victim) }
    for (const request of [
      { path, headers: {}, ...body },
      { path: `${path}?${inQuery(claims(victim))}`, headers: inHeaders(victim) },
    ]) {
      const { path: sent, ...rest } = request
      const reply = await nobody(operation.method, sent, rest)
      expect([operation.name, reply.status, reply.body.code]).toEqual([operation.name, 401, 'http.unauthenticated'])
    }
  })
  expect(await rowCounts(mill)).toEqual(before)
})

test("one's own session does nothing in somebody else's name: each such field is refused, alone and together", async () => {
  const writing = operations.filter(({ method }) => !withoutBodies.has(method))
  expect(writing.length).toBeGreaterThan(60)
  const before = await rowCounts(mill)
  const caller = (operation: (typeof operations)[number]) => (operation.is_public ? nobody : stranger)
  await each(
    writing.flatMap((operation) => {
      const known = new Set(Object.keys(operation.body?.['properties'] ?? {}))
      const fields = Object.entries(claims(victim)).filter(([name]) => !known.has(name))
      return [...fields.map(([name, value]) => ({ operation, body: { [name]: value } })), { operation, body: Object.fromEntries(fields) }]
    }),
    async ({ operation, body }) => {
      const reply = await caller(operation)(operation.method, pathOf(operation), { body, headers: inHeaders(victim) })
      expectProblem(reply, `${operation.name} ${JSON.stringify(body).slice(0, 80)}`)
    },
  )
  expect(await rowCounts(mill)).toEqual(before)
})

test('what a filter or a body names of somebody else finds nothing and does nothing', async () => {
  const key = await victim.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['account:read'] } })
  expect(key.status).toBe(201)
  await victim.call('PUT', '/api/v1/users/profile', { body: { name: 'Victim' } })
  const empty = [
    `/api/v1/auth/api-keys?workspace_id=${victim.workspace_id}`,
    `/api/v1/audit?actor_id=${victim.id}`,
    `/api/v1/audit?target_id=${victim.id}`,
    `/api/v1/workflows?search=victim`,
    `/api/v1/workspaces?deleted=true`,
  ]
  for (const path of empty) {
    const reply = await eve.call('GET', `${path}&total=true`)
    expect([path, reply.status, reply.body.items, reply.body.total]).toEqual([path, 200, [], 0])
  }
  const team = await makeTeam(mill, eve)
  const at = team.as(eve)
  expect(await at('POST', '/transfer', { user_id: victim.id })).toMatchObject({
    status: 404,
    body: { code: 'workspaces.member_not_found' },
  })
  expect(await at('PUT', `/members/${victim.id}`, { role: 'viewer' })).toMatchObject({ status: 404 })
  expect(await at('DELETE', `/members/${victim.id}`)).toMatchObject({ status: 404 })
  const members = await at('GET', '/members?search=victim&total=true')
  expect(members.body).toMatchObject({ items: [], total: 0 })
})

test('an id of one kind is none of another, also where both are the caller’s own', async () => {
  const owner = await mill.register('polymorph')
  const team = await makeTeam(mill, owner)
  const workflow_id = await publish(owner, webhookDefinition('poly'))
  const key = (await owner.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['account:read'] } })).body
  const exported = (await owner.call('POST', '/api/v1/users/profile/exports')).body
  const invitation = (await team.as(owner)('POST', '/invitations', { email: 'poly@example.org', role: 'viewer' })).body
  const started = await owner.call('POST', `/api/v1/workflows/${workflow_id}/execute`)
  const session = (await owner.call('GET', '/api/v1/auth/sessions')).body.items[0]
  const own: { readonly [kind: string]: string } = {
    user: owner.id,
    workspace: team.id,
    workflow: workflow_id,
    key: key.id,
    export: exported.id,
    invitation: invitation.id,
    execution: started.body.id,
    session: session.id,
  }
  for (const id of Object.values(own)) expect(id).toMatch(/^[0-9a-f-]{36}$/)
  const kindOf = (path: string): string => {
    if (path.includes('/executions/{id}')) return 'execution'
    if (path.includes('/workflows/{id}')) return 'workflow'
    if (path.includes('/api-keys/{id}')) return 'key'
    if (path.includes('/exports/{id}')) return 'export'
    if (path.includes('/sessions/{id}')) return 'session'
    if (path.includes('/users/invitations/{id}')) return 'invitation'
    if (path.includes('/workspaces/{id}')) return 'workspace'
    return path.includes('/users/{id}') ? 'user' : 'other'
  }
  const withId = operations.filter(({ path, admins_only }) => path.includes('{id}') && !admins_only)
  expect(withId.length).toBeGreaterThan(35)
  for (const operation of withId) {
    for (const [kind, id] of Object.entries(own).filter(([name]) => name !== kindOf(operation.path))) {
      const body = operation.path.endsWith('/transfer') ? { user_id: owner.id } : operation.method === 'PUT' ? { name: 'mine' } : {}
      const path = pathOf(operation, { id, user_id: id, invitation_id: id })
      const reply = await fromAnywhere(owner.call)(operation.method, path, {
        headers: { 'if-match': '*' },
        ...(operation.body === null ? {} : { body }),
      })
      expectProblem(reply, `${operation.name} with a ${kind}`)
      // What takes a proof asks for that first; what takes a role does not know `name`.
      expect([operation.name, kind, [403, 404, 422].includes(reply.status)]).toEqual([operation.name, kind, true])
    }
  }
  // And inside a workspace of one's own: a member is none of its invitations, an invitation none of its members.
  expect((await team.as(owner)('DELETE', `/invitations/${owner.id}`)).status).toBe(404)
  expect((await team.as(owner)('DELETE', `/members/${invitation.id}`)).status).toBe(404)
  expect((await owner.call('GET', `/api/v1/workflows/${workflow_id}`)).status).toBe(200)
})

test('the workspace that a path names counts, whatever X-Workspace-Id says; two of them are none', async () => {
  const owner = await mill.register('two-places')
  const team = await makeTeam(mill, owner)
  const draft = { name: 'A workflow', definition: { nodes: [], edges: [] } }
  const inside = (workspace_id: string) => ({ headers: { 'x-workspace-id': workspace_id } })
  for (const other of [victim.workspace_id, nobodys_id, 'x', owner.workspace_id])
    expect([other, (await owner.call('GET', `/api/v1/workspaces/${team.id}`, inside(other))).body.id]).toEqual([other, team.id])
  for (const mine of [owner.workspace_id, team.id]) {
    const reply = await owner.call('GET', `/api/v1/workspaces/${victim.workspace_id}/members`, inside(mine))
    expect([reply.status, reply.body.code]).toEqual([404, 'workspaces.not_found'])
  }
  const upper = await owner.call('POST', '/api/v1/workflows', { body: draft, headers: { 'x-workspace-id': team.id.toUpperCase() } })
  expect(upper.status).toBe(201)
  const there = await owner.call('GET', '/api/v1/workflows', inside(team.id))
  expect(there.body.items.map(({ id }: { id: string }) => id)).toEqual([upper.body.id])
  const head = `GET /api/v1/workflows HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${owner.access_token}`
  for (const [first, last] of [
    [owner.workspace_id, team.id],
    [team.id, team.id],
    [owner.workspace_id, victim.workspace_id],
  ]) {
    const said = await bytes(mill, `${head}\r\nx-workspace-id: ${first}\r\nX-WORKSPACE-ID: ${last}\r\n\r\n`)
    expect(statusesIn(said)).toEqual([404])
  }
  // Of two tokens the first counts, and nothing of the second.
  const me = `GET /api/v1/auth/me HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer x`
  expect(statusesIn(await bytes(mill, `${me}\r\nauthorization: Bearer ${owner.access_token}\r\n\r\n`))).toEqual([401])
})

test('a key works in its own workspace, whatever it is told', async () => {
  const owner = await mill.register('keyholder')
  const team = await makeTeam(mill, owner)
  const permissions = ['workspace:read', 'workspace:manage', 'workflows:read', 'workflows:write', 'account:read', 'account:write']
  const made = await owner.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions } })
  const key = mill.as({ access_token: made.body.key })
  for (const tail of ['', '/members', '/invitations']) {
    expect([tail, (await key('GET', `/api/v1/workspaces/${team.id}${tail}`)).status]).toEqual([tail, 404])
    const named = await key('GET', '/api/v1/workflows', { headers: { 'x-workspace-id': team.id.toUpperCase() } })
    expect([tail, named.status]).toEqual([tail, 404])
  }
  expect((await key('POST', `/api/v1/workspaces/${team.id}/leave`)).status).toBe(404)
  expect((await key('PUT', `/api/v1/workspaces/${team.id}`, { body: { name: 'Taken' } })).status).toBe(404)
  expect((await key('POST', `/api/v1/workspaces/${team.id}/switch`)).status).toBe(404)
  expect((await key('GET', '/api/v1/workflows')).status).toBe(200)
})

test('a stored reply goes to nobody else: another user, key, workspace, or who acts as somebody', async () => {
  const admin = await mill.admin()
  const owner = await mill.register('keeper')
  const team = await makeTeam(mill, owner)
  await team.join(eve, 'admin')
  const headers = { 'idempotency-key': '"the same for all"' }
  const body = { name: 'The same', permissions: ['account:read'] }
  const path = '/api/v1/auth/api-keys'
  const first = await owner.call('POST', path, { body, headers })
  expect(first.status).toBe(201)
  const secret = first.body.key as string
  const acting = await admin.call('POST', `/api/v1/users/admin/users/${owner.id}/impersonate`, { body: { reason: 'A test' } })
  const others = {
    'another user': eve.call,
    'the admin': admin.call,
    nobody: mill.call,
    'a key of the owner': mill.as({ access_token: secret }),
    'who acts as the owner': mill.as(acting.body),
    'the owner in another workspace': (method: string, at: string, request: object) =>
      owner.call(method, at, { ...request, headers: { ...headers, 'x-workspace-id': team.id } }),
  }
  for (const [who, call] of Object.entries(others)) {
    const reply = await call('POST', path, { body, headers })
    expect([who, JSON.stringify(reply.body).includes(secret), reply.headers.get('idempotency-replayed')]).toEqual([who, false, null])
  }
  const again = await owner.call('POST', path, { body, headers })
  expect([again.body.key, again.headers.get('idempotency-replayed')]).toEqual([secret, 'true'])
  // What lets somebody act as another is not given again to that other, nor to another admin.
  const start = `/api/v1/users/admin/users/${owner.id}/impersonate`
  const acts = await admin.call('POST', start, { body: { reason: 'Again' }, headers })
  expect(acts.status).toBe(201)
  for (const call of [owner.call, eve.call, mill.as(acts.body)])
    expect((await call('POST', start, { body: { reason: 'Again' }, headers })).status).toBe(403)
  // An address is no person: a registration is given again only to who knows its password.
  const registration = { email: 'same-place@example.org', password: 'a wheel of seven paddles' }
  const from = { ...headers, 'x-forwarded-for': '203.0.113.77' }
  expect((await mill.call('POST', '/api/v1/auth/register', { body: registration, headers: from })).status).toBe(201)
  const guess = await mill.call('POST', '/api/v1/auth/register', {
    body: { ...registration, password: 'a wheel of eight paddles' },
    headers: from,
  })
  expect([guess.status, guess.body.code]).toEqual([422, 'http.idempotency_mismatch'])
})
