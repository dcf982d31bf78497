import { afterAll, describe, expect, test } from 'vitest'
import { supabase, supabaseToken } from '../../server/src/modules/identity/external/link.testing.ts'
import { confirmed, tokenOf } from '../../server/src/modules/identity/recovery/post.testing.ts'
import { makeTeam, type Team } from '../../server/src/modules/workspaces/team.testing.ts'
import { type TestApp, testApp, type TestReply, type TestUser } from '../../server/src/test-app.ts'
import { fromAnywhere } from './attack.ts'

const mill = await testApp({ env: supabase })
const second = await testApp({ beside: mill, env: supabase })
afterAll(async () => {
  await second.close()
  await mill.close()
})
const admin = await mill.admin()
const nobody = fromAnywhere(mill.call)
const ok = (reply: TestReply, ...expected: number[]): TestReply['body'] => {
  expect(expected.length > 0 ? expected : [200, 201, 202], JSON.stringify(reply.body)).toContain(reply.status)
  return reply.body
}

const signIn = async ({ email, password }: TestUser) => ok(await nobody('POST', '/api/v1/auth/login', { body: { email, password } }), 200)
const makeKey = async (user: TestUser, permissions: readonly string[], workspace_id = user.workspace_id): Promise<string> =>
  ok(await user.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions }, headers: { 'x-workspace-id': workspace_id } }))
    .key
const impersonate = async (who: TestUser, user: TestUser): Promise<string> =>
  ok(await who.call('POST', `/api/v1/users/admin/users/${user.id}/impersonate`, { body: { reason: 'A test' } })).access_token

/** Somebody with everything that lets a request in. */
interface Held {
  readonly user: TestUser
  readonly team: Team
  readonly owner: TestUser
  readonly other: { readonly access_token: string; readonly refresh_token: string }
  readonly key: string
  readonly team_key: string
  readonly acting: string
  readonly foreign: string
}

let number = 0
const hold = async (): Promise<Held> => {
  number += 1
  const user = await confirmed(mill, `holder${number}`)
  const owner = await mill.register(`owner${number}`)
  const team = await makeTeam(mill, owner)
  await team.join(user, 'member')
  const foreign = supabaseToken(`holder-${number}`)
  ok(await user.call('POST', '/api/v1/auth/identities', { body: { token: foreign, password: user.password } }), 201)
  return {
    user,
    team,
    owner,
    foreign,
    other: await signIn(user),
    key: await makeKey(user, ['account:read']),
    team_key: await makeKey(user, ['account:read', 'workflows:write'], team.id),
    acting: await impersonate(admin, user),
  }
}

type Credential =
  | 'session'
  | 'other session'
  | 'key'
  | 'team key'
  | 'acting'
  | 'foreign'
  | 'in the team'
  | 'writing in the team'
  | 'writing with the key'

const draft = { name: 'A workflow', definition: { nodes: [], edges: [] } }
/** How each of them is answered on a server. */
const answers = async (
  app: TestApp,
  { user, team, other, key, team_key, acting, foreign }: Held,
): Promise<{ [which in Credential]: number }> => {
  const me = async (access_token: string, workspace_id?: string) =>
    (
      await app.as({ access_token })('GET', '/api/v1/auth/me', {
        headers: workspace_id === undefined ? {} : { 'x-workspace-id': workspace_id },
      })
    ).status
  const write = async (access_token: string) =>
    (await app.as({ access_token })('POST', '/api/v1/workflows', { body: draft, headers: { 'x-workspace-id': team.id } })).status
  const [session, otherSession, byKey, teamKey, asActing, asForeign, inTeam, writing, keyWriting] = await Promise.all([
    me(user.access_token),
    me(other.access_token),
    me(key),
    me(team_key),
    me(acting),
    me(foreign),
    me(user.access_token, team.id),
    write(user.access_token),
    write(team_key),
  ])
  return {
    ...{ session, 'other session': otherSession, key: byKey, 'team key': teamKey, acting: asActing, foreign: asForeign },
    ...{ 'in the team': inTeam, 'writing in the team': writing, 'writing with the key': keyWriting },
  }
}

const all_good: { [which in Credential]: number } = {
  ...{ session: 200, 'other session': 200, key: 200, 'team key': 200, acting: 200, foreign: 200 },
  ...{ 'in the team': 200, 'writing in the team': 201, 'writing with the key': 201 },
}
const gone = { session: 401, 'in the team': 401, 'writing in the team': 401 }
const nothing = Object.fromEntries(Object.keys(all_good).map((which) => [which, 401])) as typeof all_good

interface End {
  readonly name: string
  readonly act: (held: Held) => Promise<unknown>
  /** What is answered otherwise than before. */
  readonly changed: { readonly [which in Credential]?: number }
  readonly refreshes: { readonly session: number; readonly other: number }
}

const alive = { session: 200, other: 200 }
const ends: readonly End[] = [
  {
    name: 'signing out',
    act: async ({ user }) => ok(await user.call('POST', '/api/v1/auth/logout')),
    changed: gone,
    refreshes: { session: 401, other: 200 },
  },
  {
    name: 'signing out everywhere',
    act: async ({ user }) => ok(await user.call('POST', '/api/v1/auth/logout?all=true')),
    changed: { ...gone, 'other session': 401, acting: 401 },
    refreshes: { session: 401, other: 401 },
  },
  {
    name: 'a password that is changed in another session',
    act: async ({ user, other }) =>
      ok(
        await fromAnywhere(mill.as(other))('POST', '/api/v1/auth/password/change', {
          body: { password: user.password, new_password: 'another wheel of paddles' },
        }),
      ),
    changed: { ...gone, acting: 401 },
    refreshes: { session: 401, other: 200 },
  },
  {
    name: 'a password that is reset',
    act: async ({ user }) => {
      ok(await nobody('POST', '/api/v1/auth/password/forgot', { body: { email: user.email } }))
      const token = await tokenOf(mill, user.email, 'password_reset')
      ok(await nobody('POST', '/api/v1/auth/password/reset', { body: { token, password: 'another wheel of paddles' } }))
    },
    changed: { ...gone, 'other session': 401, acting: 401 },
    refreshes: { session: 401, other: 401 },
  },
  {
    name: 'an account that is switched off',
    act: async ({ user }) => ok(await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/status`, { body: { is_active: false } })),
    changed: { ...nothing, foreign: 403 },
    refreshes: { session: 401, other: 401 },
  },
  {
    name: 'an account that is erased',
    act: async ({ user }) => ok(await admin.call('DELETE', `/api/v1/users/${user.id}`)),
    changed: { ...nothing, foreign: 403 },
    refreshes: { session: 401, other: 401 },
  },
  {
    name: 'being removed from a workspace',
    act: async ({ user, team, owner }) => ok(await team.as(owner)('DELETE', `/members/${user.id}`)),
    changed: { 'in the team': 404, 'writing in the team': 404, 'team key': 401, 'writing with the key': 401 },
    refreshes: alive,
  },
  {
    name: 'a lower role in a workspace',
    act: async ({ user, team, owner }) => ok(await team.as(owner)('PUT', `/members/${user.id}`, { role: 'viewer' })),
    changed: { 'writing in the team': 403, 'writing with the key': 403 },
    refreshes: alive,
  },
  {
    name: 'a workspace that is deleted',
    act: async ({ team, owner }) => ok(await team.as(owner)('DELETE')),
    changed: { 'in the team': 404, 'writing in the team': 404, 'team key': 401, 'writing with the key': 401 },
    refreshes: alive,
  },
]

describe.each(ends)('$name', ({ act, changed, refreshes }) => {
  test('ends what it is to end, at once here and within a second on another server', async () => {
    const held = await hold()
    expect([await answers(mill, held), await answers(second, held)]).toEqual([all_good, all_good])
    await act(held)
    const began = performance.now()
    const expected = { ...all_good, ...changed }
    expect(await answers(mill, held)).toEqual(expected)
    let there = await answers(second, held)
    while (JSON.stringify(there) !== JSON.stringify(expected) && performance.now() - began < 1_000) there = await answers(second, held)
    // An account that was erased meanwhile is not known by its identity any more.
    expect(there.foreign === 401 ? { ...there, foreign: 403 } : there).toEqual(expected)
    const refresh = async (app: TestApp, refresh_token: string) =>
      (await fromAnywhere(app.call)('POST', '/api/v1/auth/refresh', { body: { refresh_token } })).status
    expect([await refresh(second, held.user.refresh_token), await refresh(mill, held.other.refresh_token)]).toEqual([
      refreshes.session,
      refreshes.other,
    ])
  })
})

test('an admin who is demoted while acting as somebody acts no more, and neither does a key of theirs', async () => {
  const [deputy, user] = [await mill.register('deputy'), await mill.register('acted')]
  const role = (value: string) => admin.call('PUT', `/api/v1/users/admin/users/${deputy.id}/role`, { body: { role: value } })
  ok(await role('admin'))
  const acting = await impersonate(deputy, user)
  const key = await makeKey(deputy, ['users:read'])
  const look = async (app: TestApp) => [
    (await app.as({ access_token: acting })('GET', '/api/v1/auth/me')).status,
    (await app.as({ access_token: key })('GET', '/api/v1/users')).status,
    (await app.as(deputy)('GET', '/api/v1/users')).status,
  ]
  expect([await look(mill), await look(second)]).toEqual([
    [200, 200, 200],
    [200, 200, 200],
  ])
  ok(await role('user'))
  const began = performance.now()
  const none = [401, 403, 403]
  expect(await look(mill)).toEqual(none)
  let there = await look(second)
  while (String(there) !== String(none) && performance.now() - began < 1_000) there = await look(second)
  expect(there).toEqual(none)
})

test('nobody goes on acting as somebody who is made an admin', async () => {
  const user = await mill.register('rising')
  const acting = mill.as({ access_token: await impersonate(admin, user) })
  expect((await acting('GET', '/api/v1/auth/me')).status).toBe(200)
  ok(await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/role`, { body: { role: 'admin' } }))
  expect((await acting('GET', '/api/v1/users')).status).toBe(401)
  expect((await user.call('GET', '/api/v1/users')).status).toBe(200)
})

describe('what takes a session of an owner', () => {
  const others = async (owner: TestUser, team: Team): Promise<{ readonly [who: string]: string }> => {
    const foreign = supabaseToken(`of-${owner.id}`)
    ok(await owner.call('POST', '/api/v1/auth/identities', { body: { token: foreign, password: owner.password } }), 201)
    return {
      'an API key': await makeKey(owner, ['workspace:manage', 'workspace:read', 'account:write'], team.id),
      'an admin who acts as an owner': await impersonate(admin, owner),
      'a token of another issuer': foreign,
    }
  }

  test('is not done by way of what is managed without one: nobody is made or unmade an owner', async () => {
    const [owner, co_owner, member] = [await mill.register('founder'), await mill.register('cofounder'), await mill.register('worker')]
    const team = await makeTeam(mill, owner)
    await team.join(co_owner, 'owner')
    await team.join(member, 'member')
    for (const [who, access_token] of Object.entries(await others(owner, team))) {
      const call = mill.as({ access_token })
      const at = `/api/v1/workspaces/${team.id}`
      const tries: readonly (readonly [string, string, object?])[] = [
        ['PUT', `/members/${member.id}`, { role: 'owner' }],
        ['PUT', `/members/${co_owner.id}`, { role: 'viewer' }],
        ['PUT', `/members/${owner.id}`, { role: 'admin' }],
        ['DELETE', `/members/${co_owner.id}`],
        ['POST', '/leave'],
        ['POST', '/invitations', { email: 'friend@example.org', role: 'owner' }],
      ]
      for (const [method, path, body] of tries) {
        const reply = await call(method, at + path, body === undefined ? {} : { body })
        expect([who, method, path, reply.status, reply.body.code]).toEqual([who, method, path, 403, 'workspaces.role_above_own'])
      }
      // What an admin of the workspace may, they may too.
      expect([who, (await call('PUT', `${at}/members/${member.id}`, { body: { role: 'viewer' } })).status]).toEqual([who, 200])
      expect([who, (await call('PUT', `${at}/members/${member.id}`, { body: { role: 'member' } })).status]).toEqual([who, 200])
    }
    const invited = ok(await team.as(owner)('POST', '/invitations', { email: 'partner@example.org', role: 'owner' }), 201)
    for (const [who, access_token] of Object.entries({ 'an admin who acts as an owner': await impersonate(admin, owner) })) {
      const again = await mill.as({ access_token })('POST', `/api/v1/workspaces/${team.id}/invitations/${invited.id}/resend`)
      expect([who, again.status]).toEqual([who, 403])
    }
    expect(ok(await team.as(owner)('PUT', `/members/${member.id}`, { role: 'owner' })).role).toBe('owner')
  })
})

test('an API key of an admin makes no admin and unmakes none, and does the rest of what it was given', async () => {
  const key = mill.as({ access_token: await makeKey(admin, ['users:manage', 'users:read']) })
  const [user, deputy] = [await mill.register('promoted'), await mill.register('vice')]
  ok(await admin.call('PUT', `/api/v1/users/admin/users/${deputy.id}/role`, { body: { role: 'admin' } }))
  const at = '/api/v1/users'
  const tries: readonly (readonly [string, string, object?])[] = [
    ['PUT', `${at}/admin/users/${user.id}/role`, { role: 'admin' }],
    ['PUT', `${at}/admin/users/${deputy.id}/role`, { role: 'user' }],
    ['POST', at, { email: 'mine@example.org', password: 'a wheel of seven paddles', role: 'admin' }],
    ['DELETE', `${at}/${deputy.id}`],
  ]
  for (const [method, path, body] of tries) {
    const reply = await key(method, path, body === undefined ? {} : { body })
    expect([method, path, reply.status, reply.body.code]).toEqual([method, path, 403, 'http.forbidden'])
  }
  expect((await deputy.call('GET', at)).status).toBe(200)
  expect((await key('POST', at, { body: { email: 'plain@example.org', password: 'a wheel of seven paddles' } })).status).toBe(201)
  expect((await key('PUT', `${at}/admin/users/${user.id}/plan`, { body: { plan: 'basic' } })).status).toBe(200)
  expect((await key('DELETE', `${at}/${user.id}`)).status).toBe(202)
})
