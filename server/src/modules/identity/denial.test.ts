import { sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import type { Ctx } from '../../platform/context.ts'
import { testApp } from '../../test-app.ts'
import { linkSupabase, supabase } from './external/link.testing.ts'

const mill = await testApp({ env: supabase })
afterAll(mill.close)

const [one, two] = [await mill.register(), await mill.register()]

for (const user of [one, two]) {
  await user.call('POST', '/api/v1/auth/api-keys', { body: { name: 'reader', permissions: ['workflows:read'] } })
  await linkSupabase(user)
}

/** What a request of that user could do if a handler of ours asked the database for too much. */
const contextOf = (user: { id: string; workspace_id: string }): Ctx =>
  mill.app.context({
    actor: {
      type: 'user',
      user_id: user.id,
      role: 'user',
      workspace_role: 'owner',
      plan: 'enterprise',
      via: { type: 'session', session_id: user.id },
      impersonator_id: null,
    },
    workspace_id: user.workspace_id,
    request_id: 'test',
  })
const nobody = mill.app.context({ actor: { type: 'anonymous' }, workspace_id: null, request_id: 'test' })

const owners: { readonly [table: string]: string | null } = {
  users: 'id',
  sessions: 'user_id',
  api_keys: 'user_id',
  identities: 'user_id',
  workspace_members: 'user_id',
  workspaces: 'personal_of',
  user_passwords: null,
  refresh_tokens: null,
  setup_tokens: null,
  sign_in_networks: null,
}

const count = async (ctx: Ctx, table: string): Promise<number> => {
  const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(ctx.db)
  return rows[0]?.n as number
}

const refusal = /permission denied|row-level security/

test.each(Object.entries(owners))('a request sees of %s its own rows or none', async (table, column) => {
  await mill.database.owner`insert into setup_tokens values ('denial', now(), now()) on conflict do nothing`
  const [all] = await mill.database.owner.unsafe(`select count(*) as n from ${table}`)
  expect(all?.['n']).toBeGreaterThan(column === null ? 0 : 1)
  expect(await count(nobody, table)).toBe(0)
  if (column === null) return expect(await count(contextOf(one), table)).toBe(0)
  const { rows } = await sql<{ owner: string }>`select ${sql.ref(column)} as owner from ${sql.table(table)}`.execute(contextOf(one).db)
  expect(rows).toEqual([{ owner: one.id }])
})

test.each(Object.keys(owners))('a request can take nothing from %s', async (table) => {
  const before = await mill.database.owner.unsafe(`select * from ${table} order by 1, 2`)
  const attempt = contextOf(one).tx(async (tx) => (await sql`delete from ${sql.table(table)}`.execute(tx.db)).numAffectedRows ?? 0n)
  if (owners[table] === null) expect(await attempt).toBe(0n)
  else await expect(attempt).rejects.toThrow(refusal)
  expect(await mill.database.owner.unsafe(`select * from ${table} order by 1, 2`)).toEqual(before)
})

test.each([
  ['make itself an admin', sql`update users set role = 'admin' where id = ${one.id}`],
  ['give itself a plan', sql`update users set plan = 'premium' where id = ${one.id}`],
  ['switch itself on', sql`update users set is_active = true where id = ${one.id}`],
  [
    'add a user',
    sql`insert into users (id, email, username, plan, created_at, updated_at) values (gen_random_uuid(), 'x@y', 'xx', 'free', now(), now())`,
  ],
  ['move a session to somebody else', sql`update sessions set user_id = ${two.id} where user_id = ${one.id}`],
  ['lengthen a session', sql`update sessions set expires_at = now() + interval '1 year' where user_id = ${one.id}`],
  ['become a member elsewhere', sql`insert into workspace_members values (${two.workspace_id}, ${one.id}, 'owner', now())`],
  ['raise its role', sql`update workspace_members set role = 'owner' where user_id = ${one.id}`],
  ['rename a workspace', sql`update workspaces set slug = 'mine' where id = ${one.workspace_id}`],
  ['set a password', sql`insert into user_passwords values (${two.id}, 'x', now()) on conflict (user_id) do update set hash = 'x'`],
  ['make a refresh token', sql`insert into refresh_tokens select 'x', id, null, now(), now() from sessions`],
  ['make a set-up token', sql`insert into setup_tokens values ('x', now(), now())`],
  ['see the hash of its own API key', sql`select key_hash from api_keys`],
  ['widen its own API key', sql`update api_keys set permissions = '{users:manage}' where user_id = ${one.id}`],
  ['make an API key of somebody else its own', sql`update api_keys set user_id = ${one.id} where user_id = ${two.id}`],
  [
    'link an identity of its own making',
    sql`insert into identities values (gen_random_uuid(), ${one.id}, 'issuer', 'subject', null, null, now(), now())`,
  ],
  ['make an identity of somebody else its own', sql`update identities set user_id = ${one.id} where user_id = ${two.id}`],
  ['become somebody else at an issuer', sql`update identities set subject = 'x' where user_id = ${one.id}`],
])('a request cannot %s', async (_, statement) => {
  const refused = contextOf(one).tx(async (tx) => (await statement.execute(tx.db)).numAffectedRows)
  await refused.then(
    (rows) => expect(rows).toBe(0n),
    (error: Error) => expect(error.message).toMatch(refusal),
  )
})

test("a request changes nobody else's rows", async () => {
  const before = await mill.database.owner`select * from users where id = ${two.id}`
  const changed = await contextOf(one).tx(async (tx) => [
    (await sql`update users set name = 'taken over' where id = ${two.id}`.execute(tx.db)).numAffectedRows,
    (await sql`update sessions set revoked_at = now(), revoked_reason = 'removed' where user_id = ${two.id}`.execute(tx.db))
      .numAffectedRows,
  ])
  expect(changed).toEqual([0n, 0n])
  expect(await mill.database.owner`select * from users where id = ${two.id}`).toEqual(before)
})
