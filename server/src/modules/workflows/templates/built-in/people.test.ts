import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { modules } from '../../../../modules.ts'
import { type TestApp, testApp, type TestUser } from '../../../../test-app.ts'
import { type Wire, wire } from '../../../integrations/wire.testing.ts'
import { openPostOffice, type PostOffice, type Received, refuse } from '../../../mail/post-office.testing.ts'
import { begin, connect, ended } from '../templates.testing.ts'

/** Where accounts are made; the events are heard by `mill`, which knows the workspace of the operator. */
let front: TestApp
let mill: TestApp
let anna: TestUser
let service: Wire
let office: PostOffice

beforeAll(async () => {
  office = await openPostOffice({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onAuth: (_, __, done) => done(null, { user: 'post' }),
  })
  const env = { MILLRACE_OUTBOUND_ALLOW: '127.0.0.1', SMTP_URL: `smtp://127.0.0.1:${office.port}` }
  front = await testApp({ env, modules: modules.map((module) => (module.name === 'workflows' ? { ...module, consumers: [] } : module)) })
  const { workspace_id } = await front.register('anna')
  mill = await testApp({ env: { ...env, MILLRACE_INSTALLATION_WORKSPACE: workspace_id }, beside: front })
  const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: 'anna@example.org', password: 'a mill turns on water' } })
  anna = { ...body.user, ...body, workspace_id, call: mill.as(body) }
  await mill.database.owner`update users set email_verified = true where id = ${anna.id}`
  service = await wire(() => ({ body: {} }))
})
afterAll(async () => {
  await mill.close()
  await front.close()
  await service.close()
  await office.close()
})

const until = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, { timeout: 20_000, interval: 50 })
const mailsTo = (address: string, subject: string): readonly Received[] =>
  office.taken.filter((mail) => mail.to.includes(address) && mail.header('subject')?.includes(subject) === true)

const decide = async (message: string, decision: 'approve' | 'reject') => {
  const approval = await until(async () => {
    const { body } = await anna.call('GET', '/api/v1/workflows/approvals')
    const found = (body.items as { id: string; message: string }[]).find((one) => one.message.includes(message))
    expect(found).toBeDefined()
    return found as { id: string }
  })
  const reply = await anna.call('POST', `/api/v1/workflows/approvals/${approval.id}/decide`, { body: { decision } })
  expect(reply.status, JSON.stringify(reply.body)).toBe(200)
}

test('approval-chain takes one word for a small sum, two for a large one, and tells how it was decided', async () => {
  const id = await begin(anna, 'approval-chain', {
    ...{ path: 'spend', first: [anna.id], second: ['anna@example.org'], large: 500 },
    decision_url: `${service.url}/decided`,
  })
  const ask = (what: string, amount: number) => mill.call('POST', '/hooks/anna/spend', { body: { what, amount, asked_by: 'Ben' } })
  await ask('Flour', 20)
  await decide('Ben asks for 20: Flour', 'approve')
  await ended(anna, id)
  await ask('Millstones', 900)
  await decide('Ben asks for 900: Millstones', 'approve')
  await decide('900 for Millstones was approved once', 'reject')
  await ended(anna, id, 2)
  await ask('A castle', 1e6)
  await decide('Ben asks for 1000000: A castle', 'reject')
  await ended(anna, id, 3)
  const told = service.asked.filter(({ path }) => path === '/decided').map(({ body }) => JSON.parse(body))
  expect(told.map(({ request, decision }) => [request.what, decision])).toEqual([
    ['Flour', 'approved'],
    ['Millstones', 'rejected'],
    ['A castle', 'rejected'],
  ])
})

test('approval-chain comes to an end when nobody decides', async () => {
  const id = await begin(anna, 'approval-chain', {
    ...{ path: 'late', first: [anna.id], second: [anna.id], expires_ms: 1_000 },
    decision_url: `${service.url}/late`,
  })
  await mill.call('POST', '/hooks/anna/late', { body: { what: 'Nothing', amount: 1, asked_by: 'Ben' } })
  expect((await ended(anna, id))[0].status).toBe('succeeded')
  expect(JSON.parse(service.asked.find(({ path }) => path === '/late')?.body ?? '{}').decision).toBe('expired')
})

test('form-approval shows a form, refuses what is incomplete, asks, and mails the decision', async () => {
  const id = await begin(anna, 'form-approval', { approvers: [anna.id] })
  const page = await mill.call('GET', '/forms/anna/leave')
  expect([page.status, page.body.includes('How many days')]).toEqual([200, true])
  const send = (body: object) => mill.call('POST', '/forms/anna/leave', { body })
  expect((await send({ name: 'Ben', email: 'ben@example.org', first_day: '2026-12-01', days: 99 })).status).toBe(422)
  expect((await send({ name: 'Ben', email: 'ben@example.org', first_day: '2026-12-01', days: 3 })).status).toBe(202)
  await decide('Ben (ben@example.org) asks for 3 days from 2026-12-01', 'approve')
  await ended(anna, id)
  await until(() => expect(mailsTo('anna@example.org', 'Leave of Ben: approved')).toHaveLength(1))
})

test('user-onboarding writes to everybody who registers, again when the mail server has trouble, and once more after a while', async () => {
  const smtp = await connect(anna, 'smtp', { host: '127.0.0.1', port: office.port, tls: 'off', from: 'Mill <hello@mill.example>' })
  await begin(anna, 'user-onboarding', { smtp, product: 'Millrace', wait_ms: 300 })
  let refusals = 0
  office.behaviour.onTaken = (mail) => {
    if (mail.header('subject')?.startsWith('Welcome to Millrace') === true && (refusals += 1) === 1)
      throw refuse(451, 'busy, try again in 1 seconds')
  }
  await front.register('cleo')
  await until(() => expect(mailsTo('cleo@example.org', 'Three things to try')).toHaveLength(1))
  delete office.behaviour.onTaken
  const welcomes = mailsTo('cleo@example.org', 'Welcome to Millrace, cleo')
  expect(welcomes).toHaveLength(2)
  expect(new Set(welcomes.map((mail) => mail.header('message-id'))).size).toBe(1)
  expect(welcomes[0]?.header('from')).toBe('Mill <hello@mill.example>')
})

test('what happens in the installation is heard in the workspace of the operator alone', async () => {
  const ben = await front.register('ben')
  const other = { ...ben, call: mill.as(ben) }
  const smtp = await connect(other, 'smtp', { host: '127.0.0.1', port: office.port, tls: 'off', from: 'ben@mill.example' })
  const theirs = await begin(other, 'user-onboarding', { smtp, product: 'Spying' })
  await front.register('dora')
  await until(() => expect(mailsTo('dora@example.org', 'Welcome to Millrace')).toHaveLength(1))
  const { body } = await other.call('GET', `/api/v1/workflows/${theirs}/executions`)
  expect(body.items).toEqual([])
  expect(mailsTo('dora@example.org', 'Welcome to Spying')).toEqual([])
})

test('a workspace of the operator that is no id is refused when the server starts', async () => {
  await expect(testApp({ env: { MILLRACE_INSTALLATION_WORKSPACE: 'ours' }, beside: front })).rejects.toThrow(
    'MILLRACE_INSTALLATION_WORKSPACE is not the id of a workspace',
  )
})

test('member-welcome writes to who joins the workspace, through the product’s own server', async () => {
  const made = await anna.call('POST', '/api/v1/workspaces', { body: { name: 'A team' } })
  expect(made.status, JSON.stringify(made.body)).toBe(201)
  const team: TestUser = {
    ...anna,
    call: (method, path, request = {}) =>
      anna.call(method, path, { ...request, headers: { ...request.headers, 'x-workspace-id': made.body.id } }),
  }
  const id = await begin(team, 'member-welcome', { text: 'Bring your own flour.' })
  const eve = await front.register('eve')
  await mill.database.owner`update users set email_verified = true where id = ${eve.id}`
  const body = { email: 'eve@example.org', role: 'member' }
  expect((await anna.call('POST', `/api/v1/workspaces/${made.body.id}/invitations`, { body })).status).toBe(201)
  const invitation = await until(() => {
    const text = mailsTo('eve@example.org', '')
      .map((mail) => mail.parts.get('text/plain') ?? '')
      .find((one) => one.includes('/invit'))
    expect(text).toBeDefined()
    return text as string
  })
  const token = /token=([\w.-]+)/.exec(invitation.replaceAll(/=\r?\n/g, ''))?.[1]
  const accepted = await mill.as(eve)('POST', `/api/v1/invitations/${token}/accept`)
  expect(accepted.status, JSON.stringify([accepted.body, invitation])).toBeLessThan(300)
  const [execution] = await ended(team, id)
  expect(execution.status, JSON.stringify(execution.error)).toBe('succeeded')
  await until(() => expect(mailsTo('eve@example.org', 'Welcome to the team')).toHaveLength(1))
  expect(mailsTo('eve@example.org', 'Welcome to the team')[0]?.parts.get('text/plain')).toContain('Bring your own flour.')
})
