import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { Member, WorkspaceRole } from '../schema.ts'

/** False when they are a member already. */
export const insertMember = async (
  db: TxDb,
  member: { readonly workspace_id: string; readonly user_id: string; readonly role: WorkspaceRole; readonly created_at: string },
): Promise<boolean> => {
  const made = await db
    .insertInto('workspace_members')
    .values(member)
    .onConflict((conflict) => conflict.doNothing())
    .returning('user_id')
    .executeTakeFirst()
  return made !== undefined
}

export const updateRole = async (db: TxDb, workspace_id: string, user_id: string, role: WorkspaceRole): Promise<void> => {
  await db.updateTable('workspace_members').set({ role }).where('workspace_id', '=', workspace_id).where('user_id', '=', user_id).execute()
}

export const deleteMember = async (db: TxDb, workspace_id: string, user_id: string): Promise<void> => {
  await db.deleteFrom('workspace_members').where('workspace_id', '=', workspace_id).where('user_id', '=', user_id).execute()
}

export const roleOf = async (db: ReadDb, workspace_id: string, user_id: string): Promise<WorkspaceRole | null> => {
  const row = await db
    .selectFrom('workspace_members')
    .select('role')
    .where('workspace_id', '=', workspace_id)
    .where('user_id', '=', user_id)
    .$castTo<{ role: WorkspaceRole }>()
    .executeTakeFirst()
  return row?.role ?? null
}

const people = (db: ReadDb, workspace_id: string) =>
  db.selectFrom('workspace_members as m').innerJoin('users as u', 'u.id', 'm.user_id').where('m.workspace_id', '=', workspace_id)

const columns = ['m.user_id', 'u.email', 'u.username', 'u.name', 'u.avatar_url', 'u.is_active', 'm.role', 'm.created_at'] as const

export interface MemberFilter {
  readonly role?: WorkspaceRole | undefined
  /** Found anywhere in name, username or address, whatever its case. */
  readonly search?: string | undefined
}

const filtered = (db: ReadDb, workspace_id: string, { role, search }: MemberFilter) => {
  const pattern = `%${(search ?? '').replaceAll(/[\\%_]/g, '\\$&')}%`
  return people(db, workspace_id)
    .$if(role !== undefined, (query) => query.where('m.role', '=', role as WorkspaceRole))
    .$if(search !== undefined, (query) =>
      query.where((of) => of.or([of('u.name', 'ilike', pattern), of('u.username', 'ilike', pattern), of('u.email', 'ilike', pattern)])),
    )
}

/** In the order they joined, after the one named. */
export const members = (
  db: ReadDb,
  workspace_id: string,
  filter: MemberFilter,
  page: { readonly after: readonly [string, string] | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly Member[]> => {
  const direction = page.descending ? 'desc' : 'asc'
  const [created_at, user_id] = page.after ?? []
  return filtered(db, workspace_id, filter)
    .select(columns)
    .$if(page.after !== null, (query) =>
      query.where(
        sql<boolean>`(m.created_at, m.user_id) ${sql.raw(page.descending ? '<' : '>')} (${created_at}::timestamptz, ${user_id}::uuid)`,
      ),
    )
    .orderBy('m.created_at', direction)
    .orderBy('m.user_id', direction)
    .limit(page.limit)
    .$castTo<Member>()
    .execute()
}

export const countMembers = async (db: ReadDb, workspace_id: string, filter: MemberFilter): Promise<number> => {
  const row = await filtered(db, workspace_id, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export const memberById = (db: ReadDb, workspace_id: string, user_id: string): Promise<Member | undefined> =>
  people(db, workspace_id).where('m.user_id', '=', user_id).select(columns).$castTo<Member>().executeTakeFirst()

/** Whether the account with an address is a member. */
export const isMember = async (db: ReadDb, workspace_id: string, email: string): Promise<boolean> =>
  (await people(db, workspace_id).where('u.email', '=', email).select('m.user_id').executeTakeFirst()) !== undefined

/** Whether anybody whose account is switched on owns the workspace besides `user_id`. */
export const hasOtherOwner = async (db: ReadDb, workspace_id: string, user_id: string): Promise<boolean> => {
  const row = await people(db, workspace_id)
    .where('m.role', '=', 'owner')
    .where('m.user_id', '<>', user_id)
    .where('u.is_active', '=', true)
    .select('m.user_id')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export const memberIds = async (db: ReadDb, workspace_id: string): Promise<readonly string[]> => {
  const rows = await db.selectFrom('workspace_members').select('user_id').where('workspace_id', '=', workspace_id).execute()
  return rows.map(({ user_id }) => user_id)
}

export const owners = (db: ReadDb, workspace_id: string): Promise<readonly Member[]> =>
  people(db, workspace_id).where('m.role', '=', 'owner').select(columns).orderBy('m.created_at').$castTo<Member>().execute()

/** Everybody who belongs to a workspace, the longest first. */
export const heirs = (db: ReadDb, workspace_id: string): Promise<readonly Member[]> =>
  people(db, workspace_id).select(columns).orderBy('m.created_at').orderBy('m.user_id').$castTo<Member>().execute()
