import { afterAll, expect, test } from 'vitest'
import { manualClock } from '../../../platform/clock.ts'
import { secrets } from '../../../platform/secrets.ts'
import { testApp, type TestUser } from '../../../test-app.ts'
import { memberAdded } from '../events.ts'
import { tame } from '../mails.ts'
import { makeTeam, type Team } from '../team.testing.ts'

const clock = manualClock(Date.now())
const log: string[] = []
const mill = await testApp({ clock, env: { LOG_LEVEL: 'debug' }, log_to: { write: (line) => void log.push(line) } })
afterAll(mill.close)

const [olga, adam, mia, vera] = (await Promise.all(['olga', 'adam', 'mia', 'vera'].map((name) => mill.register(name)))) as [
  TestUser,
  TestUser,
  TestUser,
  TestUser,
]

/** Olga owns it, Adam is an admin, Mia a member, Vera a viewer. */
const fullTeam = async (name?: string): Promise<Team> => {
  const team = await makeTeam(mill, olga, name)
  await team.join(adam, 'admin')
  await team.join(mia, 'member')
  await team.join(vera, 'viewer')
  return team
}

const gone = { status: 404, body: { code: 'workspaces.invitation_not_found' } }

/** The mails to an address, the oldest first. */
const mailsTo = async (email: string) => {
  const rows = await mill.database.owner`select id, kind, subject, body from mails where recipient = ${email} order by id`
  return Promise.all(
    rows.map(async ({ id, kind, subject, body }) => ({
      kind: kind as string,
      subject: subject as string,
      ...(JSON.parse(await mill.app.use(secrets).open(`mails/${id}`, body)) as { text: string; html: string }),
    })),
  )
}
const tokenTo = async (email: string): Promise<string> => {
  const mail = (await mailsTo(email)).findLast(({ kind }) => kind === 'workspaces.invitation')
  const token = /#token=(mlri_[\w-]{43})\b/.exec(mail?.text ?? '')?.[1]
  if (token === undefined) throw new Error(`No invitation was sent to ${email}.`)
  return token
}
const invite = async (team: Team, email: string, role = 'member', by = olga) => {
  const reply = await team.as(by)('POST', '/invitations', { email, role })
  expect(reply).toMatchObject({ status: 201 })
  return { id: reply.body.id as string, token: await tokenTo(email) }
}
const accept = (user: TestUser, token: string) => user.call('POST', `/api/v1/invitations/${token}/accept`)
const decline = (token: string) => mill.call('POST', '/api/v1/invitations/decline', { body: { token } })
const preview = (token: string) => mill.call('POST', '/api/v1/invitations/preview', { body: { token } })
const eventsOf = async (team: Team, like: string) =>
  (await mill.events()).filter(({ name, workspace_id }) => name.includes(like) && workspace_id === team.id)

test('somebody who is invited joins with the link of the mail, and their address counts as confirmed', async () => {
  const team = await fullTeam('Mill Works')
  const ben = await mill.register('ben')
  const made = await team.as(adam)('POST', '/invitations', { email: 'Ben@Example.ORG', role: 'member' })
  expect(made).toMatchObject({ status: 201, body: { workspace_id: team.id, email: ben.email, role: 'member', invited_by: adam.id } })
  expect(JSON.stringify(made.body)).not.toMatch(/token|mlri_/)
  const mail = (await mailsTo(ben.email)).at(-1)
  expect(mail).toMatchObject({ kind: 'workspaces.invitation', subject: 'adam invites you to Mill Works' })
  const token = await tokenTo(ben.email)
  expect(mail?.text).toContain(`${mill.url}/invitation#token=${token}`)
  expect(await preview(token)).toEqual(
    expect.objectContaining({
      status: 200,
      body: {
        workspace_name: 'Mill Works',
        inviter_name: null,
        inviter_username: 'adam',
        role: 'member',
        email: ben.email,
        has_account: true,
        created_at: made.body.created_at,
        expires_at: made.body.expires_at,
      },
    }),
  )
  expect(await team.as(ben)('GET')).toMatchObject({ status: 404 })
  expect(await accept(ben, token)).toMatchObject({ status: 200, body: { workspace_id: team.id, role: 'member' } })
  expect(await team.as(ben)('GET')).toMatchObject({ status: 200, body: { role: 'member' } })
  expect(await ben.call('GET', '/api/v1/users/profile')).toMatchObject({ body: { email_verified: true } })
  expect(await preview(token)).toMatchObject(gone)
  expect(await accept(ben, token)).toMatchObject(gone)
  const told = await eventsOf(team, 'invitation')
  expect(told.map(({ name, actor }) => [name, actor.id])).toEqual([
    ['workspaces.invitation.created', adam.id],
    ['workspaces.invitation.accepted', ben.id],
  ])
  expect(told[1]?.changes).toEqual({ before: { email_verified: false }, after: { email_verified: true } })
})

test('the database and the log of events hold no token', async () => {
  const team = await fullTeam()
  const { token } = await invite(team, 'kept@example.org')
  const kept = JSON.stringify([await mill.database.owner`select * from workspace_invitations`, await mill.events()])
  expect(kept).toContain('kept@example.org')
  expect(kept).not.toContain(token.slice(5))
})

test('of fifty who accept at once, one joins, once', async () => {
  const team = await fullTeam()
  const user = await mill.register()
  const { token } = await invite(team, user.email)
  const replies = await Promise.all(Array.from({ length: 50 }, () => accept(user, token)))
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(replies.filter(({ status }) => status !== 200)).toEqual(Array.from({ length: 49 }, () => expect.objectContaining({ status: 404 })))
  expect((await eventsOf(team, 'member.added')).filter(({ data }) => (data as { user_id: string }).user_id === user.id)).toHaveLength(1)
  expect(await eventsOf(team, 'invitation.accepted')).toHaveLength(1)
})

test('an invitation is for its address alone', async () => {
  const team = await fullTeam()
  const { token } = await invite(team, 'meant@example.org')
  const thief = await mill.register('thief')
  expect(await accept(thief, token)).toMatchObject({ status: 403, body: { code: 'workspaces.invitation_for_another' } })
  expect(await mill.call('POST', `/api/v1/invitations/${token}/accept`)).toMatchObject({ status: 401 })
  expect(await team.as(thief)('GET')).toMatchObject({ status: 404 })
  const meant = await mill.register('meant')
  expect(await accept(meant, token)).toMatchObject({ status: 200 })
})

test('the log shows that an invitation was answered, and never its token', async () => {
  const team = await fullTeam()
  const user = await mill.register()
  const { token } = await invite(team, user.email)
  const refused = await vera.call('POST', `/api/v1/invitations/${token}/accept`)
  expect(refused).toMatchObject({ status: 403, body: { instance: '/api/v1/invitations/[redacted]/accept' } })
  await vera.call('POST', `/api/v1/invitations/m%6cri${token.slice(4)}/accept`)
  await vera.call('POST', `/api/v1/invitations/${token}/acept`)
  await vera.call('PUT', `/api/v1/invitations/${token}/accept`)
  await accept(user, token)
  expect(log.filter((line) => line.includes('/api/v1/invitations/[redacted]/accept')).length).toBeGreaterThan(3)
  expect(log.join('')).not.toContain(token.slice(5))
})

test('whether an address has an account does not show to who invites it', async () => {
  const team = await fullTeam()
  const known = await mill.register('known')
  const replies = await Promise.all(
    [known.email, 'unheard-of@example.org'].map((email) => team.as(adam)('POST', '/invitations', { email, role: 'viewer' })),
  )
  const [one, two] = replies.map(({ status, body }) => ({ ...body, status, id: 0, email: 0, created_at: 0, sent_at: 0, expires_at: 0 }))
  expect(one).toEqual(two)
  expect(one).toMatchObject({ status: 201 })
})

test('nobody invites above their own role, members and viewers invite nobody, strangers find nothing', async () => {
  const team = await fullTeam()
  const { id } = await invite(team, 'owner-to-be@example.org', 'owner')
  const body = { email: 'x@example.org', role: 'owner' }
  const above = { status: 403, body: { code: 'workspaces.role_above_own' } }
  expect(await team.as(adam)('POST', '/invitations', body)).toMatchObject(above)
  expect(await team.as(adam)('POST', `/invitations/${id}/resend`)).toMatchObject(above)
  const stranger = await mill.register()
  const own = await makeTeam(mill, stranger)
  const tries: [string, string, unknown?][] = [
    ['POST', '/invitations', { email: 'x@example.org', role: 'viewer' }],
    ['GET', '/invitations'],
    ['DELETE', `/invitations/${id}`],
    ['POST', `/invitations/${id}/resend`],
  ]
  for (const [method, path, sent] of tries) {
    for (const user of [mia, vera])
      expect(await team.as(user)(method, path, sent)).toMatchObject({ status: 403, body: { code: 'http.forbidden' } })
    expect(await team.as(stranger)(method, path, sent)).toMatchObject({ status: 404, body: { code: 'workspaces.not_found' } })
    // The invitation of another workspace, named through one's own.
    if (path.includes(id)) expect(await own.as(stranger)(method, path, sent)).toMatchObject(gone)
  }
  expect((await team.as(adam)('GET', '/invitations?total=true')).body).toMatchObject({ total: 1, items: [{ id, role: 'owner' }] })
})

test('who is a member already is invited by nobody, themselves included', async () => {
  const team = await fullTeam()
  for (const email of [olga.email, mia.email, mia.email.toUpperCase()])
    expect(await team.as(olga)('POST', '/invitations', { email, role: 'viewer' })).toMatchObject({
      status: 409,
      body: { code: 'workspaces.already_member' },
    })
  await invite(team, 'twice@example.org')
  expect(await team.as(adam)('POST', '/invitations', { email: 'TWICE@example.org', role: 'viewer' })).toMatchObject({
    status: 409,
    body: { code: 'workspaces.already_invited' },
  })
  const user = await mill.register()
  const { token } = await invite(team, user.email)
  await team.join(user, 'viewer')
  expect(await accept(user, token)).toMatchObject({ status: 409, body: { code: 'workspaces.already_member' } })
  expect(await team.as(user)('GET')).toMatchObject({ body: { role: 'viewer' } })
  expect(await accept(user, token)).toMatchObject(gone)
})

test.each([
  { email: 'аdam@example.org', role: 'viewer' },
  { email: 'adam@exämple.org', role: 'viewer' },
  { email: 'adam@example.org\nbcc: eve@example.org', role: 'viewer' },
  { email: 'adam@example.org', role: 'god' },
  { email: 'adam', role: 'viewer' },
  { email: 'a@example.org' },
  { role: 'viewer' },
  { email: 'a@example.org', role: 'viewer', workspace_id: '01900000-0000-7000-8000-000000000001' },
  { email: 'a@example.org', role: 'viewer', invited_by: '01900000-0000-7000-8000-000000000001' },
  { email: 'a@example.org', role: 'viewer', expires_at: '2099-01-01T00:00:00.000Z' },
  { email: 'a@example.org', role: 'viewer', token: `mlri_${'a'.repeat(43)}` },
])('%j is no invitation', async (body) => {
  const team = await makeTeam(mill, olga)
  expect(await team.as(olga)('POST', '/invitations', body)).toMatchObject({ status: 422 })
})

test('nobody joins a personal workspace', async () => {
  const own = `/api/v1/workspaces/${olga.workspace_id}/invitations`
  expect(await olga.call('POST', own, { body: { email: 'x@example.org', role: 'viewer' } })).toMatchObject({
    status: 409,
    body: { code: 'workspaces.personal' },
  })
})

test('an invitation is worth no more than the right of who sent it', async () => {
  const cases: ((team: Team) => Promise<unknown>)[] = [
    (team) => team.as(olga)('PUT', `/members/${adam.id}`, { role: 'member' }),
    (team) => team.as(olga)('DELETE', `/members/${adam.id}`),
    () => mill.database.owner`update users set is_active = false where id = ${adam.id}`,
  ]
  for (const lose of cases) {
    const team = await fullTeam()
    const user = await mill.register()
    const { token } = await invite(team, user.email, 'admin', adam)
    expect(await preview(token)).toMatchObject({ status: 200 })
    await lose(team)
    expect(await preview(token)).toMatchObject(gone)
    expect(await accept(user, token)).toMatchObject(gone)
    expect(await team.as(user)('GET')).toMatchObject({ status: 404 })
    await mill.database.owner`update users set is_active = true where id = ${adam.id}`
  }
  const team = await fullTeam()
  await team.as(olga)('PUT', `/members/${mia.id}`, { role: 'owner' })
  const user = await mill.register()
  const { token } = await invite(team, user.email, 'owner', mia)
  await team.as(olga)('PUT', `/members/${mia.id}`, { role: 'admin' })
  expect(await accept(user, token)).toMatchObject(gone)
})

test('who has confirmed their address finds its invitations, and answers them without the mail', async () => {
  const [one, two] = [await fullTeam('One'), await fullTeam('Two')]
  const user = await mill.register('pending')
  const list = () => user.call('GET', '/api/v1/users/invitations?total=true')
  const [first, second] = [await invite(one, user.email, 'viewer'), await invite(two, user.email)]
  expect(await list()).toMatchObject({ status: 200, body: { items: [], total: 0 } })
  expect(await user.call('POST', `/api/v1/users/invitations/${first.id}/accept`)).toMatchObject(gone)
  await mill.database.owner`update users set email_verified = true where id = ${user.id}`
  const { body } = await list()
  expect(
    body.items.map(({ id, workspace_name, role }: { id: string; workspace_name: string; role: string }) => [id, workspace_name, role]),
  ).toEqual([
    [second.id, 'Two', 'member'],
    [first.id, 'One', 'viewer'],
  ])
  expect(JSON.stringify(body)).not.toMatch(/token|mlri_/)
  expect(await vera.call('POST', `/api/v1/users/invitations/${first.id}/accept`)).toMatchObject(gone)
  expect(await user.call('POST', `/api/v1/users/invitations/${first.id}/accept`)).toMatchObject({ status: 200, body: { role: 'viewer' } })
  expect(await user.call('POST', `/api/v1/users/invitations/${second.id}/decline`)).toMatchObject({ status: 200 })
  expect(await accept(user, second.token)).toMatchObject(gone)
  expect(await list()).toMatchObject({ body: { items: [] } })
  expect(await one.as(user)('GET')).toMatchObject({ status: 200 })
  expect(await two.as(user)('GET')).toMatchObject({ status: 404 })
})

test('a plan says how many belong to a workspace, invitations included', async () => {
  const owner = await mill.register()
  const team = await makeTeam(mill, owner)
  await mill.database.owner`update users set plan = 'free' where id = ${owner.id}`
  await mill.app
    .asSystem('a test changes a plan')
    .tx(async (tx) => tx.emit(memberAdded, { workspace_id: team.id, user_id: owner.id, role: 'owner' }))
  const sent = Array.from({ length: 6 }, (_, n) =>
    team.as(owner)('POST', '/invitations', { email: `seat${n}@example.org`, role: 'viewer' }),
  )
  const replies = await Promise.all(sent)
  expect(replies.filter(({ status }) => status === 201)).toHaveLength(2)
  expect(replies.find(({ status }) => status !== 201)).toMatchObject({
    status: 402,
    body: { code: 'plans.limit_reached', feature: 'seats', limit: 3, used: 3 },
  })
})

test('an invitation that a smaller plan has no room for any more waits until there is', async () => {
  const owner = await mill.register()
  const team = await makeTeam(mill, owner)
  for (const user of [adam, mia]) await team.join(user, 'member')
  const user = await mill.register()
  const { token } = await invite(team, user.email, 'viewer', owner)
  const put = async (plan: string) => {
    await mill.database.owner`update users set plan = ${plan} where id = ${owner.id}`
    await mill.app
      .asSystem('a test changes a plan')
      .tx(async (tx) => tx.emit(memberAdded, { workspace_id: team.id, user_id: owner.id, role: 'owner' }))
  }
  await put('free')
  expect(await accept(user, token)).toMatchObject({ status: 402, body: { code: 'plans.limit_reached', feature: 'seats' } })
  await put('basic')
  expect(await accept(user, token)).toMatchObject({ status: 200 })
})

test('a workspace sends a hundred invitations an hour and no more', async () => {
  const owner = await mill.register()
  const team = await makeTeam(mill, owner)
  await team.join(adam, 'admin')
  const send = (by: TestUser, n: number) => team.as(by)('POST', '/invitations', { email: `mass${n}@example.org`, role: 'viewer' })
  for (let n = 0; n < 60; n += 1) expect(await send(owner, n)).toMatchObject({ status: 201 })
  for (let n = 60; n < 100; n += 1) expect(await send(adam, n)).toMatchObject({ status: 201 })
  const refused = await send(adam, 100)
  expect(refused).toMatchObject({ status: 429, body: { code: 'http.rate_limited', 'violated-policies': ['workspace-invitations'] } })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  const { body } = await team.as(owner)('GET', '/invitations?limit=200')
  expect(body.items).toHaveLength(100)
})

test('what somebody calls themselves or a workspace makes no link in a mail to a stranger', async () => {
  const team = await fullTeam('You won! Visit https://evil.example/prize now <b>')
  await invite(team, 'mark@example.org')
  const [mail] = await mailsTo('mark@example.org')
  expect(mail?.subject).toBe('olga invites you to You won! Visit https evil example prize now <b>')
  expect(`${mail?.text}${mail?.html}`).not.toContain('evil.example')
  expect(mail?.html).not.toContain('<b>')
})

test.each([
  ['Acme Inc.', 'Acme Inc.'],
  ['acme.com', 'acme com'],
  ['call\u202eevil', 'callevil'],
  ['  a \n b ', 'a b'],
  ['\u200b', 'somebody'],
  ['x'.repeat(100), 'x'.repeat(60)],
])('%j is called %j in a mail', (name, shown) => expect(tame(name)).toBe(shown))

test('one that is unknown, used, declined, taken back, replaced or too old is nothing, whichever it is', async () => {
  const team = await fullTeam()
  const user = await mill.register('late')
  const unknown = `mlri_${'a'.repeat(43)}`
  const declined = await invite(team, user.email)
  expect(await decline(declined.token)).toMatchObject({ status: 200 })
  const revoked = await invite(team, user.email)
  expect(await team.as(adam)('DELETE', `/invitations/${revoked.id}`)).toMatchObject({ status: 200 })
  const replaced = await invite(team, user.email)
  expect(await team.as(adam)('POST', `/invitations/${replaced.id}/resend`)).toMatchObject({ status: 200, body: { invited_by: adam.id } })
  const fresh = await tokenTo(user.email)
  expect(fresh).not.toBe(replaced.token)
  expect(await preview(fresh)).toMatchObject({ status: 200, body: { inviter_username: 'adam' } })
  clock.advance(7 * 86_400_000)
  const login = await mill.call('POST', '/api/v1/auth/login', { body: { email: user.email, password: user.password } })
  const late: TestUser = { ...user, ...login.body, call: mill.as(login.body) }
  const shapes = await Promise.all(
    [unknown, declined.token, revoked.token, replaced.token, fresh, 'x', `${fresh}x`, `mlri_${'%41'.repeat(43)}`].flatMap((token) => [
      accept(late, token),
      decline(token),
    ]),
  )
  for (const { status, body } of shapes) {
    expect({ status, code: body.code, title: body.title, detail: body.detail }).toEqual({
      status: 404,
      code: 'workspaces.invitation_not_found',
      title: 'There is no such invitation',
      detail: 'There is no such invitation',
    })
  }
  for (const token of [unknown, declined.token, revoked.token, replaced.token, fresh]) expect(await preview(token)).toMatchObject(gone)
})

test('one that has expired can be sent again', async () => {
  const again = await mill.call('POST', '/api/v1/auth/login', { body: { email: olga.email, password: olga.password } })
  const owner: TestUser = { ...olga, ...again.body, call: mill.as(again.body) }
  const team = await makeTeam(mill, owner)
  const { id } = await invite(team, 'sleeper@example.org', 'viewer', owner)
  clock.advance(7 * 86_400_000)
  const later = await mill.call('POST', '/api/v1/auth/login', { body: { email: olga.email, password: olga.password } })
  const call = (method: string, path: string) => mill.as(later.body)(method, `/api/v1/workspaces/${team.id}${path}`)
  expect((await call('GET', '/invitations')).body.items).toMatchObject([{ id, email: 'sleeper@example.org' }])
  expect(await call('POST', `/invitations/${id}/resend`)).toMatchObject({ status: 200 })
  expect(await preview(await tokenTo('sleeper@example.org'))).toMatchObject({ status: 200, body: { has_account: false } })
})
