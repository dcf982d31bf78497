import { connect } from 'node:net'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { makeTeam } from '../../server/src/modules/workspaces/team.testing.ts'
import { type Call, testApp, type TestReply, type TestUser } from '../../server/src/test-app.ts'
import { expectNoFault, expectProblem, fromAnywhere, isApi, operationsOf, statusesIn } from './attack.ts'

const mill = await testApp()
afterAll(mill.close)
const admin = await mill.admin()
const nobody = fromAnywhere(mill.call)
const password = 'a wheel of seven paddles'

const settled = (user_id: string) =>
  vi.waitFor(async () => expect((await mill.database.owner`select from users where id = ${user_id}`).length).toBe(0), { timeout: 15_000 })

describe('erasing an account', () => {
  test('many times at once, while it is acted as and while its export is made, ends in one account less and nothing half done', async () => {
    const user = await mill.register('erased')
    const acting = await admin.call('POST', `/api/v1/users/admin/users/${user.id}/impersonate`, { body: { reason: 'A test' } })
    expect(acting.status).toBe(201)
    expect((await user.call('POST', '/api/v1/users/profile/exports')).status).toBe(202)
    const replies = await Promise.all([
      ...Array.from({ length: 5 }, () => admin.call('DELETE', `/api/v1/users/${user.id}`)),
      ...Array.from({ length: 5 }, () => user.call('POST', '/api/v1/users/profile/erase', { body: { password: user.password } })),
      ...Array.from({ length: 5 }, () => mill.as(acting.body)('PUT', '/api/v1/users/profile', { body: { name: 'Still here' } })),
      ...Array.from({ length: 5 }, () =>
        user.call('POST', '/api/v1/auth/api-keys', { body: { name: 'k', permissions: ['account:read'] } }),
      ),
    ])
    for (const reply of replies) expectNoFault(reply, 'one of many')
    expect(replies.slice(0, 10).some(({ status }) => status === 202)).toBe(true)
    expect((await mill.as(acting.body)('GET', '/api/v1/auth/me')).status).toBe(401)
    await settled(user.id)
    const erasures = (await mill.events()).filter(
      ({ name, data }) => name === 'users.erased' && (data as { user_id: string }).user_id === user.id,
    )
    expect(erasures.length).toBe(1)
    for (const table of ['personal_exports', 'sessions', 'api_keys', 'workspace_members', 'one_time_tokens'])
      expect([table, (await mill.database.owner.unsafe(`select from ${table} where user_id = $1`, [user.id])).length]).toEqual([table, 0])
  })

  test('a second time does not take from the audit what it has not entered yet', async () => {
    const user = await mill.register('twice')
    await user.call('PUT', '/api/v1/users/profile', { body: { name: 'Twice' } })
    await Promise.all([1, 2, 3].map(() => admin.call('DELETE', `/api/v1/users/${user.id}`)))
    await settled(user.id)
    // Every one of the erasures has run, and those that found nobody wait for as long as the first.
    await vi.waitFor(
      async () => {
        const rows = await mill.database.owner<{ status: string }[]>`
          select e.status
          from executions e
          join execution_records r on r.execution_id = e.id
          where e.mode = 'job' and r.body::text like ${`%${user.id}%`}`
        expect(rows.length).toBeGreaterThan(0)
        expect(rows.filter(({ status }) => status === 'running' || status === 'queued')).toEqual([])
      },
      { timeout: 10_000 },
    )
    const left = await mill.database.owner<{ name: string }[]>`select name from events where data ->> 'user_id' = ${user.id}`
    expect(left.map(({ name }) => name)).toEqual(expect.arrayContaining(['users.registered', 'users.profile.updated', 'users.erased']))
  })
})

describe('a request that was begun with more than its sender has by now', () => {
  /** Sends the head and a part of the body, lets something happen, and sends the rest. */
  const slowly = async (user: TestUser, workspace_id: string, meanwhile: () => Promise<TestReply>): Promise<number> => {
    const body = JSON.stringify({ name: 'Too late', definition: { nodes: [], edges: [] }, description: 'x'.repeat(4_000) })
    const socket = connect(Number(new URL(mill.url).port), '127.0.0.1')
    const said = once(socket, 'data')
    socket.write(
      `POST /api/v1/workflows HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${user.access_token}\r\nx-workspace-id: ${workspace_id}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 50)}`,
    )
    await pause(700)
    expect((await meanwhile()).status).toBe(200)
    socket.write(body.slice(50))
    return statusesIn(String((await said)[0]))[0] as number
  }

  test('is refused: a role that was lowered, a member who was removed, an account that was switched off', async () => {
    const owner = await mill.register('slow-owner')
    const team = await makeTeam(mill, owner)
    const acts: readonly (readonly [string, number, (user: TestUser) => Promise<TestReply>])[] = [
      ['lowered', 403, (user) => team.as(owner)('PUT', `/members/${user.id}`, { role: 'viewer' })],
      ['removed', 404, (user) => team.as(owner)('DELETE', `/members/${user.id}`)],
      ['off', 401, (user) => admin.call('PUT', `/api/v1/users/admin/users/${user.id}/status`, { body: { is_active: false } })],
    ]
    for (const [what, status, act] of acts) {
      const user = await mill.register(`slow-${what}`)
      await team.join(user, 'member')
      expect([what, await slowly(user, team.id, () => act(user))]).toEqual([what, status])
    }
    expect((await owner.call('GET', '/api/v1/workflows', { headers: { 'x-workspace-id': team.id } })).body.items).toEqual([])
  })
})

test('who joins and is removed at the same moment is in or out, and can be invited again', async () => {
  const owner = await mill.register('door-keeper')
  const team = await makeTeam(mill, owner)
  for (let round = 0; round < 10; round += 1) {
    const guest = await mill.register(`comes-and-goes-${round}`)
    await mill.database.owner`update users set email_verified = true where id = ${guest.id}`
    const invite = () => team.as(owner)('POST', '/invitations', { email: guest.email, role: 'admin' })
    const { id } = (await invite()).body
    const [joined, removed, lowered] = await Promise.all([
      guest.call('POST', `/api/v1/users/invitations/${id}/accept`),
      team.as(owner)('DELETE', `/members/${guest.id}`),
      team.as(owner)('PUT', `/members/${guest.id}`, { role: 'viewer' }),
    ])
    for (const reply of [joined, removed, lowered]) expectNoFault(reply, 'at the same moment')
    expect(joined.status).toBe(200)
    const members: { user_id: string; role: string }[] = (await team.as(owner)('GET', '/members?limit=200')).body.items
    const member = members.find(({ user_id }) => user_id === guest.id)
    expect([round, member === undefined]).toEqual([round, removed.status === 200])
    if (member !== undefined) expect([round, member.role]).toEqual([round, lowered.status === 200 ? 'viewer' : 'admin'])
    const sees = (await guest.call('GET', `/api/v1/workspaces/${team.id}`)).status
    expect([round, sees]).toEqual([round, member === undefined ? 404 : 200])
    expect([round, (await invite()).status]).toEqual([round, member === undefined ? 201 : 409])
  }
})

test('a mailbox gets so many mails that its owner did not ask for and no more, however many ask', async () => {
  const email = 'flooded@example.org'
  const flooded = await nobody('POST', '/api/v1/auth/register', { body: { email, password } })
  expect(flooded.status).toBe(201)
  const crowd = await Promise.all(Array.from({ length: 12 }, (_, index) => mill.register(`crowd${index}`)))
  const asked: Promise<TestReply>[] = []
  for (const user of crowd) {
    const team = await makeTeam(mill, user)
    const ask = (call: Call, path: string, body?: object) =>
      asked.push(fromAnywhere(call)('POST', path, body === undefined ? {} : { body }))
    for (let time = 0; time < 3; time += 1) {
      ask(mill.call, '/api/v1/auth/password/forgot', { email })
      ask(mill.call, '/api/v1/auth/magic-link', { email })
      ask(mill.call, '/api/v1/auth/register', { email, password })
      ask(mill.as(flooded.body), '/api/v1/auth/email/verification')
      ask(user.call, '/api/v1/auth/email/change', { email, password: user.password })
    }
    const invited = await team.as(user)('POST', '/invitations', { email, role: 'member' })
    expect(invited.status).toBe(201)
    ask(user.call, `/api/v1/workspaces/${team.id}/invitations/${invited.body.id}/resend`)
  }
  const replies = await Promise.all(asked)
  expect(replies.length).toBeGreaterThan(180)
  // What the reply says is the same for the mail that is sent and the one that is not.
  const after = await nobody('POST', '/api/v1/auth/password/forgot', { body: { email } })
  expect(after.status).toBe(202)
  const later = async () => {
    const [row] = await mill.database.owner<{ left: number; mails: number }[]>`
      select
        (select count(*)::int from events e where e.name = 'identity.email_change.requested' and e.data ->> 'email' = ${email}) as left,
        (select count(*)::int from mails where recipient = ${email} and kind = 'identity.email_change_taken' and status in ('kept', 'dropped')) as mails`
    return row
  }
  await vi.waitFor(async () => {
    const row = await later()
    expect(row?.mails).toBe(row?.left)
  }, 15_000)
  const kinds = await mill.database.owner<{ kind: string; count: number }[]>`
    select kind, count(*)::int as count
    from mails
    where recipient = ${email} and status <> 'dropped'
    group by kind`
  expect(kinds.length).toBe(5)
  for (const { kind, count } of kinds) expect([kind, count <= 10]).toEqual([kind, true])
  expect(kinds.reduce((sum, { count }) => sum + count, 0)).toBeLessThanOrEqual(45)
})

test('who goes through addresses to find out which have an account is stopped at every door', async () => {
  const from = (headers: object) => ({ 'x-forwarded-for': '203.0.113.9', ...headers })
  const doors: readonly (readonly [string, number, (index: number) => { readonly path: string; readonly body: object }])[] = [
    ['registration', 30, (index) => ({ path: 'register', body: { email: `probe${index}@example.org`, password: 'short' } })],
    ['forgotten passwords', 20, (index) => ({ path: 'password/forgot', body: { email: `probe${index}@example.org` } })],
    ['magic links', 20, (index) => ({ path: 'magic-link', body: { email: `probe${index}@example.org` } })],
  ]
  for (const [door, quota, ask] of doors) {
    const statuses: number[] = []
    for (let index = 0; index < quota + 3; index += 1) {
      const { path, body } = ask(index)
      statuses.push((await mill.call('POST', `/api/v1/auth/${path}`, { body, headers: from({}) })).status)
    }
    expect([door, statuses.indexOf(429)]).toEqual([door, quota])
    expect([door, new Set(statuses.slice(quota))]).toEqual([door, new Set([429])])
  }
})

test('addresses, names and slugs that look alike or hide something are refused or are one', async () => {
  await mill.register('looks')
  const register = (fields: object) => nobody('POST', '/api/v1/auth/register', { body: { password, ...fields } })
  // A Cyrillic о, a full-width o, a dotted capital I, the Kelvin sign, a zero-width joiner, a right-to-left mark, a combining accent.
  const emails = [
    'l\u043eoks@example.org',
    'l\uff4foks@example.org',
    'D\u0130M@example.org',
    '\u212Aelvin@example.org',
    'lo\u200doks@example.org',
    'looks@ex\u202eample.org',
    'looks\u0301@example.org',
  ]
  for (const email of [
    ...emails,
    ' looks@example.org',
    'looks@example.org\n',
    'looks@example.org\u0000',
    'looks @example.org',
    'looks@example.org,eve@example.org',
    '"looks"@example.org',
    'Looks <looks@example.org>',
  ])
    expect([email, (await register({ email })).status]).toEqual([email, 422])
  for (const email of ['LOOKS@example.org', 'looks@EXAMPLE.ORG', 'Looks@Example.Org']) {
    const { status, body } = await register({ email })
    expect([email, status, body.code]).toEqual([email, 409, 'users.email_taken'])
  }
  for (const username of ['LOOKS', 'Looks']) {
    const { status, body } = await register({ email: `${username}.2@example.org`, username })
    expect([username, status, body.code]).toEqual([username, 409, 'users.username_taken'])
  }
  for (const username of [
    'l\u043eoks',
    'lo\u200doks',
    '../looks',
    'looks\u0000',
    ' looks',
    'looks/',
    '__proto__',
    'a',
    'x'.repeat(40),
    '%6cooks',
  ])
    expect([username, (await register({ email: 'alike@example.org', username })).status]).toEqual([username, 422])
  const owner = await mill.register('slugger')
  for (const slug of [
    'Looks',
    'l\u043eoks',
    '../admin',
    'a/b',
    'a.b',
    '-a',
    'a-',
    '',
    ' ',
    'x'.repeat(49),
    '%2e%2e',
    'a\u0000',
    '__proto__',
  ]) {
    const { status } = await owner.call('POST', '/api/v1/workspaces', { body: { name: 'A', slug } })
    expect([slug, status]).toEqual([slug, 422])
  }
  const taken = await owner.call('POST', '/api/v1/workspaces', { body: { name: 'A', slug: 'looks' } })
  expect([taken.status, taken.body.code]).toEqual([409, 'workspaces.slug_taken'])
})

test('what nobody has signed in for fills little of the disk, whatever headers it comes with', async () => {
  const headers = {
    'user-agent': 'U'.repeat(14_000),
    referer: `https://example.org/${'r'.repeat(900)}`,
    'accept-language': 'x'.repeat(500),
  }
  const email = `${'e'.repeat(60)}@${'d'.repeat(60)}.${'d'.repeat(60)}.example`
  for (const [path, body] of [
    ['login', { email, password: 'p'.repeat(1_000) }],
    ['password/forgot', { email }],
    ['magic-link', { email }],
  ] as const) {
    expectNoFault(await nobody('POST', `/api/v1/auth/${path}`, { body, headers }), path)
  }
  const events = await mill.database.owner<{ name: string; size: number }[]>`
    select name, length(e::text) as size
    from events e
    where data ->> 'email' = ${email}`
  expect(events.length).toBe(3)
  for (const { name, size } of events) expect([name, size < 2_500]).toEqual([name, true])
  await vi.waitFor(async () => {
    const entries = await mill.database.owner<{ size: number }[]>`
      select length(a::text) as size from audit_entries a where a.action = 'identity.login.failed' and a.data::text like ${`%${email}%`}`
    expect(entries.length).toBe(1)
    expect(entries[0]?.size).toBeLessThan(3_000)
  })
})

test('the audit has no door through which it could be changed, by whoever it is', async () => {
  const paths = (await operationsOf(mill)).filter(isApi).filter(({ path }) => path.includes('/audit'))
  expect(paths.length).toBe(4)
  expect(new Set(paths.map(({ method }) => method))).toEqual(new Set(['GET']))
  const digest = async () =>
    (
      await mill.database
        .owner`select count(*)::int as n, md5(string_agg(id::text, ',' order by id)) as d from audit_entries where workspace_id = ${admin.workspace_id}`
    )[0]
  const before = await digest()
  const [entry] = (await admin.call('GET', '/api/v1/audit?limit=1')).body.items
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of ['/api/v1/audit', `/api/v1/audit/${entry.id}`, '/api/v1/audit/all', '/api/v1/audit/export']) {
      const reply = await admin.call(method, path, method === 'DELETE' ? {} : { body: {} })
      expectProblem(reply, `${method} ${path}`)
      expect([method, path, [404, 405].includes(reply.status)]).toEqual([method, path, true])
    }
  }
  expect(await digest()).toEqual(before)
})

test('each account keeps so many keys, workspaces and exports, and no more', async () => {
  const small = await testApp({ beside: mill, env: { MILLRACE_DEFAULT_PLAN: 'free' } })
  try {
    const user = await small.register('hoarder')
    const until = async (path: string, body: (index: number) => object, most: number): Promise<TestReply> => {
      for (let index = 0; index < most; index += 1) {
        const reply = await fromAnywhere(small.as(user))('POST', path, { body: body(index) })
        expectNoFault(reply, path)
        if (reply.status >= 400) return reply
      }
      throw new Error(`${path} was answered ${most} times.`)
    }
    const key = await until('/api/v1/auth/api-keys', (index) => ({ name: `k${index}`, permissions: ['account:read'] }), 51)
    expect([402, 409]).toContain(key.status)
    const workspace = await until('/api/v1/workspaces', (index) => ({ name: `w${index}` }), 31)
    expect(workspace).toMatchObject({ status: 402, body: { code: 'plans.limit_reached' } })
  } finally {
    await small.close()
  }
  const user = await mill.register('exporting')
  let asked = 0
  for (; asked < 15; asked += 1) {
    const reply = await fromAnywhere(user.call)('POST', '/api/v1/users/profile/exports')
    if (reply.status === 429) break
    expect([202, 409]).toContain(reply.status)
  }
  expect(asked).toBe(10)
})

test('cookies of refresh count from pages of this installation alone, and are sent to no other path', async () => {
  const signed_in = await nobody('POST', '/api/v1/auth/login', { body: { email: admin.email, password: admin.password, use_cookie: true } })
  const cookie = signed_in.headers.get('set-cookie') as string
  expect(signed_in.body.refresh_token).toBe(null)
  expect(cookie).toMatch(/^millrace_refresh=[^;]+; Path=\/api\/v1\/auth; Max-Age=\d+; HttpOnly; SameSite=Strict/)
  const [pair] = cookie.split(';') as [string]
  const from = (headers: { readonly [name: string]: string }) =>
    nobody('POST', '/api/v1/auth/refresh', { body: {}, headers: { cookie: pair, ...headers } })
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${mill.url}.evil.example` },
    { origin: `${mill.url}@evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-origin, cross-site' },
    { origin: 'https://evil.example', 'sec-fetch-site': 'same-site', 'x-forwarded-host': 'evil.example' },
  ]) {
    const reply = await from(headers)
    expect([headers, reply.status, reply.body.code]).toEqual([headers, 403, 'auth.cross_site'])
  }
  // The cookie opens nothing by itself.
  for (const [method, path] of [
    ['GET', '/api/v1/auth/me'],
    ['POST', '/api/v1/auth/logout'],
    ['POST', '/api/v1/auth/api-keys'],
  ] as const)
    expect((await nobody(method, path, { headers: { cookie: pair, 'sec-fetch-site': 'same-origin' } })).status).toBe(401)
  expect((await from({ 'sec-fetch-site': 'same-origin', origin: mill.url })).status).toBe(200)
})
