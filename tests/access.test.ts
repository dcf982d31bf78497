import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { testApp, type TestUser } from '../server/src/test-app.ts'
import { callers, type Caller, otherPermission } from '../tools/access-matrix.ts'

const secret = 'a secret that another issuer shares with us'
const mill = await testApp({ env: { SUPABASE_JWT_SECRET: secret } })
afterAll(mill.close)

/** The page that was reviewed: what it says is what has to be true. */
const page = readFileSync(join(import.meta.dirname, '../docs/reference/access.md'), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  )
  .map(([route = '', allow = '', ...answers]) => ({ route, allow, answers }))

const admin = await mill.admin()
const owner = await mill.register('owner')
const [viewer, member, workspace_admin] = [await mill.register('viewer'), await mill.register('member'), await mill.register('manager')]
const { workspace_id } = owner

const join_as = async (user: TestUser, role: string): Promise<void> => {
  await mill.database.owner`
    insert into workspace_members (workspace_id, user_id, role, created_at)
    values (${workspace_id}, ${user.id}, ${role}, now())`
}
await join_as(viewer, 'viewer')
await join_as(member, 'member')
await join_as(workspace_admin, 'admin')
await join_as(admin, 'viewer')

/** Memberships were written past the front door, so sessions that were looked up before do not know them. */
const signedInAgain = async ({ email, password }: TestUser): Promise<string> => {
  const { status, body } = await mill.call('POST', '/api/v1/auth/login', {
    body: { email, password },
    headers: { 'x-forwarded-for': `198.18.77.${(signIns += 1)}` },
  })
  expect(status).toBe(200)
  return body.access_token
}
let signIns = 0

const keyWith = async (permission: string): Promise<string> => {
  const { status, body } = await owner.call('POST', '/api/v1/auth/api-keys', { body: { name: permission, permissions: [permission] } })
  expect(status, `${permission}: ${JSON.stringify(body)}`).toBe(201)
  return body.key
}
const keys = new Map<string, Promise<string>>()
const key = (permission: string): Promise<string> => {
  const made = keys.get(permission) ?? keyWith(permission)
  keys.set(permission, made)
  return made
}

const impersonation = await admin.call('POST', `/api/v1/users/admin/users/${owner.id}/impersonate`, { body: { reason: 'A test' } })
expect(impersonation.status).toBe(201)

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const foreign = (sub: string, email: string): string => {
  const exp = Math.floor(Date.now() / 1000) + 3_600
  const head = `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url({ sub, email, aud: 'authenticated', role: 'authenticated', exp, user_metadata: { email_verified: true } })}`
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`
}
const foreignToken = foreign('01900000-0000-7000-8000-00000000f0f0', 'elsewhere@example.org')
const foreigner = await mill.as({ access_token: foreignToken })('GET', '/api/v1/auth/me')
expect(foreigner.status, JSON.stringify(foreigner.body)).toBe(200)

const tokens: { readonly [caller in Caller]?: string } = {
  viewer: await signedInAgain(viewer),
  member: await signedInAgain(member),
  admin: await signedInAgain(workspace_admin),
  owner: await signedInAgain(owner),
  'installation admin': await signedInAgain(admin),
  impersonated: impersonation.body.access_token,
  'foreign token': foreignToken,
}

/** What an owner of a workspace can give a key. */
const canGive = (name: string): boolean => {
  const permission = mill.app.permissions.get(name)
  if (permission === undefined || permission.session_only) return false
  return permission.workspace_roles.has('owner') || permission.system_roles.has('user')
}

/** A permission that no key can have is asked for with a key that has another one; it is refused all the same. */
const tokenOf = async (caller: Caller, allow: string): Promise<string | undefined> => {
  if (caller === 'key without') return key(otherPermission(allow))
  if (caller === 'key with it') return key(canGive(allow) ? allow : otherPermission(allow))
  return tokens[caller]
}

/** Everybody acts in the owner's workspace but the foreigner, who owns one of their own. */
const workspaceOf = (caller: Caller): string => (caller === 'foreign token' ? foreigner.body.workspace_id : workspace_id)

let from = 0
/**
 * Calls a route with a field that none has, so that who is let in gets a 422 and nothing is ever done.
 * Workspaces in the path are the caller's own; other ids are nobody's.
 */
const ask = async (route: string, allow: string, caller: Caller): Promise<{ readonly status: number; readonly code: string }> => {
  const [method = '', path = ''] = route.split(' ')
  const token = await tokenOf(caller, allow)
  const place = path
    .replace(/^(\/api\/v1\/workspaces\/)\{\w+\}/, `$1${workspaceOf(caller)}`)
    .replaceAll(/\{email\}/g, 'nobody@example.org')
    .replaceAll(/\{\w+\}/g, '01900000-0000-7000-8000-000000000000')
  from += 1
  const reply = await mill.call(method, `${place}?no_such_field=1`, {
    headers: {
      'x-forwarded-for': `198.19.${from >> 8}.${from & 255}`,
      'x-workspace-id': workspaceOf(caller),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  })
  return { status: reply.status, code: reply.body?.code }
}

test('the page has every route and every caller', () => {
  const declared = mill.app.modules.flatMap(({ routes = [] }) => routes).filter((route) => !('raw' in route))
  expect(rows.length).toBe(declared.length)
  expect(rows.length).toBeGreaterThan(40)
  for (const { answers } of rows) expect(answers.length).toBe(callers.length)
})

describe.each(rows.filter(({ route }) => route.includes(' /api/v1/')))('$route', ({ route, allow, answers }) => {
  test(`answers everybody as the page says (${allow})`, async () => {
    for (const [index, caller] of callers.entries()) {
      const { status, code } = await ask(route, allow, caller)
      const said = `${caller}: ${status} ${code}`
      if (answers[index] === 'yes') expect(status, said).toBe(422)
      else expect(said).toBe(`${caller}: ${answers[index]} ${answers[index] === '401' ? 'http.unauthenticated' : 'http.forbidden'}`)
    }
  })
})
