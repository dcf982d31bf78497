import { afterAll, expect, test } from 'vitest'
import { jobs, jobState } from '../../engine/jobs.ts'
import { announcements } from '../../platform/module.ts'
import { testApp } from '../../test-app.ts'
import { tidy } from './delivery.ts'
import * as mail from './mail.ts'
import { personalData, removeWorkspace } from './personal-data.ts'
import { openPostOffice, refuse } from './post-office.testing.ts'

let ahead_ms = 0
const clock = { now: () => Date.now() + ahead_ms }
const day_ms = 86_400_000
const patient = { timeout: 10_000, interval: 25 }
const mill = await testApp({ clock })
afterAll(mill.close)
const admin = await mill.admin()
const user = await mill.register('anna')

const sendTo = async (to: string, kind = 'test.letter', user_id?: string): Promise<string> => {
  const system = mill.app.asSystem('a test sends', user.workspace_id)
  const written = mail.write({
    subject: `For ${to}`,
    paragraphs: ['canary-3f0a'],
    link: { label: 'Open', url: 'https://mill.example/#token=t' },
  })
  const { id } = await system.tx((tx) =>
    mail.send(tx, { ...written, to, kind, workspace_id: user.workspace_id, ...(user_id === undefined ? {} : { user_id }) }),
  )
  await expect.poll(async () => (await mill.database.owner`select status from mails where id = ${id}`)[0]?.['status'], patient).toBe('kept')
  return id
}
const list = async (query = '') => (await admin.call('GET', `/api/v1/mails?kind=test.letter&${query}`)).body

test('without an SMTP server mails stay where an admin can read them, and who starts the server is told where', async () => {
  const id = await sendTo('ben@example.org')
  const { status, body } = await admin.call('GET', `/api/v1/mails/${id}`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    ...{ id, kind: 'test.letter', recipient: 'ben@example.org', subject: 'For ben@example.org', status: 'kept', error: null, attempts: 0 },
    workspace_id: user.workspace_id,
    text: expect.stringContaining('https://mill.example/#token=t'),
    html: expect.stringContaining('href="https://mill.example/#token=t"'),
  })
  expect(await announcements(mill.app)).toContainEqual({ label: 'Mail', text: expect.stringContaining('/api/v1/mails') })
})

test('that a mail was read is recorded, with who read it; a look at the list is not', async () => {
  const id = await sendTo('ben@example.org')
  const reads = async () =>
    (await mill.events()).filter(({ name, data }) => name === 'mail.read' && (data as { mail_id: string }).mail_id === id)
  await list()
  expect(await reads()).toEqual([])
  await admin.call('GET', `/api/v1/mails/${id}`)
  expect(await reads()).toMatchObject([
    { actor: { type: 'user', id: admin.id }, workspace_id: user.workspace_id, data: { mail_id: id, kind: 'test.letter' } },
  ])
})

test('the list shows no bodies, pages, and is filtered by status, kind and recipient', async () => {
  const ids = [await sendTo('carol@one.example'), await sendTo('Carol@two.example'), await sendTo('dora@one.example')]
  const all = await list('total=true&limit=200')
  expect(JSON.stringify(all)).not.toContain('canary')
  expect(all.total).toBe(all.items.length)
  expect(all.items.map(({ id }: { id: string }) => id).slice(0, 3)).toEqual(ids.toReversed())
  const carols = await list('recipient=CAROL%40')
  expect(carols.items.map(({ id }: { id: string }) => id)).toEqual([ids[1], ids[0]])
  expect((await list('recipient=%25')).items).toEqual([])
  expect((await list('status=sent')).items).toEqual([])
  expect((await list('status=kept&limit=200')).items).toHaveLength(all.items.length)
  const first = await list('limit=2')
  const second = await list(`limit=2&cursor=${first.next_cursor}`)
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(all.items.slice(0, 4).map(({ id }: { id: string }) => id))
  expect((await list('order=asc&limit=1')).items[0].id).toBe(all.items.at(-1).id)
  expect(await admin.call('GET', '/api/v1/mails?status=lost')).toMatchObject({ status: 422 })
})

test('mails are for admins of the installation alone', async () => {
  const id = await sendTo('ben@example.org')
  for (const path of ['/api/v1/mails', `/api/v1/mails/${id}`]) {
    expect(await user.call('GET', path)).toMatchObject({ status: 403 })
    expect(await mill.call('GET', path)).toMatchObject({ status: 401 })
  }
  expect(await user.call('POST', '/api/v1/mails/test')).toMatchObject({ status: 403 })
  expect(await admin.call('GET', `/api/v1/mails/${mill.app.newId()}`)).toMatchObject({ status: 404, body: { code: 'mail.not_found' } })
})

test('an admin sends a test mail to their own address, and not without end', async () => {
  const { status, body, headers } = await admin.call('POST', '/api/v1/mails/test')
  expect(status).toBe(202)
  expect(headers.get('location')).toBe(`/api/v1/mails/${body.id}`)
  const read = await admin.call('GET', `/api/v1/mails/${body.id}`)
  expect(read.body).toMatchObject({ recipient: admin.email, kind: 'mail.test', user_id: admin.id })
  const statuses: number[] = []
  for (let count = 0; count < 5; count++) statuses.push((await admin.call('POST', '/api/v1/mails/test')).status)
  expect(statuses).toEqual([202, 202, 202, 202, 429])
})

test('the health report says how the post is doing', async () => {
  const reportOf = async (at: typeof mill) => {
    const { body } = await (await at.admin()).call('GET', '/health/detailed')
    return body.checks.find(({ name }: { name: string }) => name === 'mail')
  }
  const here = (await admin.call('GET', '/health/detailed')).body.checks.find(({ name }: { name: string }) => name === 'mail')
  expect(here).toMatchObject({ status: 'ok', detail: expect.stringContaining('no SMTP server') })
  const office = await openPostOffice()
  office.behaviour.onRecipient = () => Promise.reject(refuse(451, 'Too busy'))
  const other = await testApp({ env: { SMTP_URL: `smtp://127.0.0.1:${office.port}` } })
  expect(await announcements(other.app)).not.toContainEqual(expect.objectContaining({ label: 'Mail' }))
  const { id } = await other.app
    .asSystem('a test sends')
    .tx((tx) => mail.send(tx, { to: 'ben@example.org', subject: 'Flour', text: 'x', kind: 'test.letter', workspace_id: null }))
  await expect.poll(async () => (await other.database.owner`select attempts from mails where id = ${id}`)[0]?.['attempts'], patient).toBe(1)
  expect(await reportOf(other)).toMatchObject({ status: 'failing', detail: expect.stringContaining('451 Too busy') })
  await other.close()
  await office.close()
})

test('the mails about an account are in what its owner exports, and go with the account; what others send to the address still goes', async () => {
  const [about, to, foreign] = [
    await sendTo('old@example.org', 'test.letter', user.id),
    await sendTo(user.email),
    await sendTo('ben@example.org'),
  ]
  const on_its_way = mill.app.newId()
  await mill.database.owner`
    insert into mails (id, kind, recipient, subject, message_id, created_at)
    values (${on_its_way}, 'test.invitation', ${user.email}, 'Join us', '<x@y>', now())`
  const system = mill.app.asSystem('a test erases')
  const person = { id: user.id, email: user.email.toUpperCase() }
  const exported = [...((await personalData.read(system, person)) as Iterable<{ id: string }>)]
  expect(exported.map(({ id }) => id)).toContain(about)
  expect(JSON.stringify(exported)).not.toContain('canary')
  await system.tx(async (tx) => personalData.erase?.(tx, person))
  const left = await mill.database.owner`select id from mails where id in (${about}, ${to}, ${foreign}, ${on_its_way})`
  expect(new Set(left.map(({ id }) => id))).toEqual(new Set([foreign, on_its_way]))
})

test('the mails of a workspace go with it', async () => {
  const id = await sendTo('ben@example.org')
  expect(await removeWorkspace(mill.app, mill.app.newId())).toBe(true)
  expect(await mill.database.owner`select id from mails where id = ${id}`).toHaveLength(1)
  expect(await removeWorkspace(mill.app, user.workspace_id)).toBe(true)
  expect(await mill.database.owner`select id from mails where workspace_id = ${user.workspace_id}`).toEqual([])
})

test('after thirty days a mail is gone, and one that nothing delivers any more is given up before', async () => {
  const young = await sendTo('ben@example.org')
  const stuck = mill.app.newId()
  await mill.database.owner`
    insert into mails (id, kind, recipient, subject, message_id, created_at)
    values (${stuck}, 'test.stuck', 'ben@example.org', 'Stuck', '<x@y>', ${new Date(clock.now()).toISOString()})`
  const run = async () => {
    const { execution_id } = await mill.app.use(jobs).start({ job: tidy, workspace_id: null, input: {} })
    const state = () => jobState(mill.app.asSystem('a test looks'), tidy, execution_id)
    await expect.poll(async () => (await state())?.status, patient).toBe('succeeded')
    return (await state())?.output
  }
  const statuses = async () =>
    Object.fromEntries(
      (await mill.database.owner`select id, status from mails where id in (${young}, ${stuck})`).map((row) => [row['id'], row['status']]),
    )
  expect(await run()).toEqual({ removed: 0 })
  ahead_ms += 4 * day_ms
  expect(await run()).toEqual({ removed: 0 })
  expect(await statuses()).toEqual({ [young]: 'kept', [stuck]: 'failed' })
  ahead_ms += 25 * day_ms
  expect(await run()).toEqual({ removed: 0 })
  ahead_ms += 2 * day_ms
  expect(await run()).toEqual({ removed: expect.any(Number) })
  expect(await mill.database.owner`select id from mails`).toEqual([])
  expect((await mill.events()).filter(({ name }) => name === 'mail.expired')).toHaveLength(1)
})
