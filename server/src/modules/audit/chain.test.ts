import { randomUUID } from 'node:crypto'
import { Type } from 'typebox'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { codeOf } from '../../platform/database/errors.ts'
import type { Role } from '../../platform/database/link.ts'
import { defineEvent } from '../../platform/events/event.ts'
import { bareApp } from '../../platform/testing/bare-app.ts'
import { testDatabase } from '../../platform/testing/test-database.ts'
import * as audit from './audit.ts'
import { type Head, installation_chain, type StoredEntry } from './chain.ts'
import { recorded, tamper } from './entries.testing.ts'
import { verifyAudit } from './verify.ts'

const data = Type.Object({ sack: Type.Number(), user_id: Type.Optional(Type.String()) })
const filled = defineEvent({ name: 'mill.sack.filled', doc: 'A sack was filled.', data })
const erased = defineEvent({ name: 'users.erased', doc: 'An account was erased.', data: Type.Object({ user_id: Type.String() }) })
const database = await testDatabase()
const { app, stop } = await bareApp({ database: await database.open(), modules: [{ name: 'mill', events: [filled, erased] }] })
const { owner, handle } = database
afterAll(async () => {
  await stop()
  await database.close()
})

let chain = ''
beforeEach(() => {
  chain = randomUUID()
})

const enter = (count: number, workspace_id: string | null = chain): Promise<void> =>
  audit.enter(
    app,
    Array.from({ length: count }, () => recorded({ workspace_id })),
  )
const entries = (of: string = chain): Promise<readonly StoredEntry[]> => owner<StoredEntry[]>`
  select * from audit_entries where chain = ${of} order by seq`
const entryAt = async (seq: number): Promise<StoredEntry> => (await entries()).find((entry) => entry.seq === seq) as StoredEntry
/** The first breach of the chain of this test. */
const breach = async (expected: readonly Head[] = []): Promise<object | null> => {
  const reports = await verifyAudit(handle.system, { page: 3, expected })
  const report = reports.find((each) => each.chain === chain)
  return report === undefined ? null : report.breach
}

test('entries follow each other in one chain per workspace, and in one for what belongs to none', async () => {
  await enter(2)
  await enter(2, null)
  await enter(2)
  const mine = await entries()
  expect(mine.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  expect(mine[0]?.previous_hash).toBe('0'.repeat(64))
  expect(mine.slice(1).map(({ previous_hash }) => previous_hash)).toEqual(mine.slice(0, 3).map(({ hash }) => hash))
  expect((await entries(installation_chain)).map(({ seq }) => seq)).toEqual([1, 2])
  expect((await verifyAudit(handle.system)).map(({ breach: found }) => found)).toEqual([null, null])
})

test('what the database digests and what is recomputed outside of it are the same, whatever an entry says', async () => {
  const odd = 'ü,1:\u0000"\\ 🌾\u2028\n'
  const events = [
    recorded({ workspace_id: chain, data: { odd, nested: [{ odd }], n: 1e21, empty: {} }, changes: { before: {}, after: { odd } } }),
    recorded({ workspace_id: chain, actor: { type: 'system', id: null }, origin: null, changes: null }),
    recorded({ workspace_id: chain, impersonator_id: randomUUID(), changes: { after: { a: 1 } } }),
    recorded({ workspace_id: chain, created_at: '2024-02-29T23:59:59.999Z' }),
    recorded({ workspace_id: chain, origin: { request_id: 'ü'.repeat(100), address: '::1', user_agent: '-,' } }),
    recorded({ workspace_id: chain, created_at: '2024-03-01T00:00:00.000Z', data: { lone: '\ud800' } }),
  ]
  await audit.enter(app, events)
  expect(await breach()).toBeNull()
  expect(await entries()).toHaveLength(events.length)
})

test('an event that comes twice is entered once, also when it comes to two processes at once', async () => {
  const events = Array.from({ length: 50 }, () => recorded({ workspace_id: chain }))
  const { app: other, stop: stopOther } = await bareApp({ database: await database.open() })
  await Promise.all([audit.enter(app, events), audit.enter(other, events), audit.enter(app, events.slice(10)), audit.enter(other, events)])
  await audit.enter(app, events)
  await stopOther()
  expect((await entries()).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
  expect(await breach()).toBeNull()
})

test('a writer that errs cannot break the chain: what it says of number and digests does not count', async () => {
  await enter(2)
  await owner.begin(async (sql) => {
    await sql`set local role millrace_system`
    await sql`
      insert into audit_entries (id, workspace_id, seq, at, action, actor_type, data, erased_at, content_hash, previous_hash, hash)
      values (gen_random_uuid(), ${chain}, 77, now(), 'mill.sack.filled', 'system', '{}', now(), 'x', 'y', 'z')`
    await sql`
      insert into audit_entries (id, workspace_id, at, action, actor_type, data)
      select id, workspace_id, at, action, actor_type, data from audit_entries where chain = ${chain}
      on conflict do nothing`
  })
  expect((await entries()).map(({ seq }) => seq)).toEqual([1, 2, 3])
  expect(await breach()).toBeNull()
})

test('neither role of the server can change or remove an entry, move a head, or get around the trigger', async () => {
  await enter(1)
  const attempts = [
    'update audit_entries set action = action',
    'update audit_entries set seq = 1 where false',
    'delete from audit_entries',
    'truncate audit_entries',
    'update audit_chains set seq = 0',
    'delete from audit_chains',
    'truncate audit_chains',
    `insert into audit_chains (chain, seq, hash) values (gen_random_uuid(), 5, 'x')`,
    'alter table audit_entries disable trigger chain',
    'drop trigger chain on audit_entries',
    'alter table audit_entries no force row level security',
    'set session_replication_role = replica',
    'create policy mine on audit_chains using (true)',
  ]
  for (const role of ['millrace_app', 'millrace_system'] satisfies Role[]) {
    for (const text of attempts) {
      const refused = await handle
        .transaction({ role, user_id: null, workspace_id: chain }, async (tx) => ({ result: (await tx.run(text, [])).count }))
        .then(
          () => `${role} may ${text}`,
          (error: unknown) => codeOf(error),
        )
      expect(refused, `${role}: ${text}`).toBe('42501')
    }
  }
  const inserting = handle.transaction({ role: 'millrace_app', user_id: null, workspace_id: chain }, async (tx) => ({
    result: await tx.run(
      `insert into audit_entries (id, workspace_id, at, action, actor_type, data) values (gen_random_uuid(), $1, now(), 'x', 'user', '{}')`,
      [chain],
    ),
  }))
  await expect(inserting).rejects.toMatchObject({ code: '42501' })
  expect(await entries()).toHaveLength(1)
  expect(await breach()).toBeNull()
})

const fields = {
  action: 'mill.sack.spilled',
  actor_type: 'system',
  actor_id: randomUUID(),
  impersonator_id: randomUUID(),
  target_type: 'miller',
  target_id: randomUUID(),
  request_id: 'another',
  address: '192.0.2.1',
  user_agent: 'curl',
  data: '{"sack":2}',
  before: '{"weight":9}',
  after: null,
  at: '2020-01-01T00:00:00.000Z',
  salt: randomUUID(),
  content_hash: 'f'.repeat(64),
  previous_hash: 'f'.repeat(64),
  hash: 'f'.repeat(64),
}
test.each(Object.entries(fields))('a change of %s is found', async (field, value) => {
  await enter(5)
  await tamper(owner, (sql) => sql`update audit_entries set ${sql({ [field]: value })} where chain = ${chain} and seq = 3`)
  const { id } = await entryAt(3)
  expect(await breach()).toEqual({ chain, seq: 3, id, problem: 'changed' })
})

test('JSON that says the same in other words is a change too', async () => {
  await enter(3)
  await tamper(owner, (sql) => sql`update audit_entries set data = ' {"sack":1}' where chain = ${chain} and seq = 2`)
  expect(await breach()).toMatchObject({ seq: 2, problem: 'changed' })
})

test('an entry that was removed in the middle is found', async () => {
  await enter(5)
  await tamper(owner, (sql) => sql`delete from audit_entries where chain = ${chain} and seq = 3`)
  expect(await breach()).toEqual({ chain, seq: 3, id: null, problem: 'missing' })
})

test('the first entry missing, and all of them, is found', async () => {
  await enter(3)
  await tamper(owner, (sql) => sql`delete from audit_entries where chain = ${chain} and seq = 1`)
  expect(await breach()).toMatchObject({ seq: 1, problem: 'missing' })
  await tamper(owner, (sql) => sql`delete from audit_entries where chain = ${chain}`)
  expect(await breach()).toMatchObject({ seq: 1, problem: 'tail_missing' })
})

test('a tail that was removed is found', async () => {
  await enter(5)
  await tamper(owner, (sql) => sql`delete from audit_entries where chain = ${chain} and seq > 3`)
  expect(await breach()).toEqual({ chain, seq: 4, id: null, problem: 'tail_missing' })
})

test('two entries that changed places are found', async () => {
  await enter(5)
  await tamper(owner, async (sql) => {
    await sql`update audit_entries set seq = 1000 where chain = ${chain} and seq = 2`
    await sql`update audit_entries set seq = 2 where chain = ${chain} and seq = 3`
    await sql`update audit_entries set seq = 3 where chain = ${chain} and seq = 1000`
  })
  expect(await breach()).toMatchObject({ seq: 2, problem: 'changed' })
})

const insertCopy = (sql: typeof owner, seq: number, more: object = {}): Promise<unknown> => sql`
  insert into audit_entries (id, workspace_id, chain, seq, at, action, actor_type, data, content_hash, previous_hash, hash, salt)
  select gen_random_uuid(), workspace_id, chain, ${seq}, at, action, actor_type, data, content_hash, previous_hash,
    ${(more as { hash?: string }).hash ?? 'f'.repeat(64)}, salt
  from audit_entries where chain = ${chain} and seq = 2`

test('an entry that was put in is found: in the place of another, beside one, before the first, or at the end', async () => {
  await enter(4)
  await tamper(owner, async (sql) => {
    await sql`delete from audit_entries where chain = ${chain} and seq = 3`
    await insertCopy(sql, 3)
  })
  expect(await breach()).toMatchObject({ seq: 3, problem: 'changed' })

  chain = randomUUID()
  await enter(4)
  await tamper(owner, (sql) => insertCopy(sql, 0))
  expect(await breach()).toMatchObject({ seq: 0, problem: 'inserted' })

  chain = randomUUID()
  await enter(4)
  await tamper(owner, (sql) => insertCopy(sql, 5))
  expect(await breach()).toMatchObject({ seq: 5, problem: 'head_wrong' })

  chain = randomUUID()
  await enter(4)
  await owner`alter table audit_entries drop constraint audit_entries_chain_seq_key`
  await tamper(owner, (sql) => insertCopy(sql, 3))
  expect(await breach()).toMatchObject({ seq: 3 })
  await tamper(owner, (sql) => sql`delete from audit_entries where chain = ${chain}`)
  await owner`alter table audit_entries add unique (chain, seq)`
})

test('an entry that was moved to another workspace is found in both', async () => {
  await enter(3)
  const other = randomUUID()
  await enter(1, other)
  await tamper(owner, (sql) => sql`update audit_entries set workspace_id = ${other}, chain = ${other} where chain = ${chain} and seq = 2`)
  expect(await breach()).toMatchObject({ seq: 2, problem: 'missing' })
  const reports = await verifyAudit(handle.system)
  expect(reports.find((report) => report.chain === other)?.breach).toMatchObject({ seq: 2, problem: 'head_wrong' })
})

test('a head that was moved or removed is found', async () => {
  await enter(3)
  await tamper(owner, (sql) => sql`update audit_chains set seq = 2 where chain = ${chain}`)
  expect(await breach()).toMatchObject({ seq: 3, problem: 'head_wrong' })
  await tamper(owner, (sql) => sql`update audit_chains set seq = 3, hash = ${'f'.repeat(64)} where chain = ${chain}`)
  expect(await breach()).toMatchObject({ seq: 3, problem: 'head_wrong' })
  await tamper(owner, (sql) => sql`delete from audit_chains where chain = ${chain}`)
  expect(await breach()).toMatchObject({ seq: 1, problem: 'head_wrong' })
})

test('who rewrites a whole chain, head and all, is found by a head that was noted elsewhere', async () => {
  await enter(3)
  const { seq, hash } = await entryAt(3)
  const noted = [{ chain, seq, hash }]
  await enter(2)
  expect(await breach(noted)).toBeNull()
  await owner`delete from audit_entries where chain = ${chain}`
  await owner`delete from audit_chains where chain = ${chain}`
  await enter(5)
  expect(await breach()).toBeNull()
  expect(await breach(noted)).toMatchObject({ seq: 3, problem: 'not_as_expected' })
  expect(await breach([{ chain, seq: 6, hash }])).toMatchObject({ seq: 6, problem: 'not_as_expected' })
  await owner`delete from audit_entries where chain = ${chain}`
  await owner`delete from audit_chains where chain = ${chain}`
  expect(await breach(noted)).toMatchObject({ seq: 3, problem: 'not_as_expected' })
})

test('an account that is erased leaves what happened and a chain that still proves it, and nothing of the person', async () => {
  const ann = randomUUID()
  const about = (event: object) => recorded({ workspace_id: chain, ...event })
  await audit.enter(app, [
    about({ actor: { type: 'user', id: ann }, data: { email: 'ann@example.org' } }),
    about({ data: { user_id: ann, email: 'ann@example.org' }, changes: { before: { name: 'Ann' } } }),
    about({ data: { email: 'ben@example.org' } }),
  ])
  const tooEarly = handle.system`select millrace.erase_audit_content(${ann})`
  await expect(tooEarly).rejects.toThrow('no entry that says')
  await audit.enter(app, [about({ name: 'users.erased', actor: { type: 'system', id: null }, data: { user_id: ann } })])
  const left = await entries()
  expect(left.map(({ erased_at }) => erased_at !== null)).toEqual([true, true, false, false])
  expect(JSON.stringify(left.slice(0, 2))).not.toMatch(/ann@example|Ann|198\.51|stone/)
  expect(left[0]).toMatchObject({ action: 'mill.sack.filled', actor_id: ann, salt: null, data: null })
  expect(left[2]).toMatchObject({ address: '198.51.100.7' })
  expect(await breach()).toBeNull()
})

test('content that was taken away without an account having been erased is found', async () => {
  await enter(3)
  const blank = { salt: null, address: null, user_agent: null, data: null, before: null, after: null, erased_at: new Date().toISOString() }
  await tamper(owner, (sql) => sql`update audit_entries set ${sql(blank)} where chain = ${chain} and seq = 2`)
  expect(await breach()).toMatchObject({ seq: 2, problem: 'content_missing' })
})
