import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { WorkspaceRole } from '../schema.ts'
import type { Invitation, PendingInvitation } from './schema.ts'

const columns = ['id', 'workspace_id', 'email', 'role', 'invited_by', 'created_at', 'sent_at', 'expires_at'] as const

/** Which one is meant: by its token, or by its id and the address of who answers it. */
export type Key = { readonly token_hash: string } | { readonly id: string; readonly email: string }

/** Undefined when the address has an invitation already. */
export const insertInvitation = (db: TxDb, row: Invitation & { readonly token_hash: string }): Promise<Invitation | undefined> =>
  db
    .insertInto('workspace_invitations')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning(columns)
    .$castTo<Invitation>()
    .executeTakeFirst()

/** With a new token, the old one is nothing any more. Whoever sends it again is who invites. */
export const renewInvitation = (
  db: TxDb,
  workspace_id: string,
  id: string,
  change: Pick<Invitation, 'invited_by' | 'sent_at' | 'expires_at'> & { readonly token_hash: string },
): Promise<Invitation> =>
  db
    .updateTable('workspace_invitations')
    .set(change)
    .where('workspace_id', '=', workspace_id)
    .where('id', '=', id)
    .returning(columns)
    .$castTo<Invitation>()
    .executeTakeFirstOrThrow()

export const invitationById = (db: ReadDb, workspace_id: string, id: string): Promise<Invitation | undefined> =>
  db
    .selectFrom('workspace_invitations')
    .select(columns)
    .where('workspace_id', '=', workspace_id)
    .where('id', '=', id)
    .$castTo<Invitation>()
    .executeTakeFirst()

export const deleteInvitation = (db: TxDb, workspace_id: string, id: string): Promise<Invitation | undefined> =>
  db
    .deleteFrom('workspace_invitations')
    .where('workspace_id', '=', workspace_id)
    .where('id', '=', id)
    .returning(columns)
    .$castTo<Invitation>()
    .executeTakeFirst()

/** Those to one address, or all of the workspace, that nobody can accept any more. */
export const deleteExpired = async (
  db: TxDb,
  workspace_id: string,
  expired: { readonly before: string; readonly email?: string },
): Promise<void> => {
  await db
    .deleteFrom('workspace_invitations')
    .where('workspace_id', '=', workspace_id)
    .where('expires_at', '<=', expired.before)
    .$if(expired.email !== undefined, (query) => query.where('email', '=', expired.email as string))
    .execute()
}

/** Newest first unless told; also those that have expired, so that somebody can send them again. */
export const invitations = (
  db: ReadDb,
  workspace_id: string,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly Invitation[]> =>
  db
    .selectFrom('workspace_invitations')
    .select(columns)
    .where('workspace_id', '=', workspace_id)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<Invitation>()
    .execute()

export const countInvitations = async (db: ReadDb, workspace_id: string): Promise<number> => {
  const row = await db
    .selectFrom('workspace_invitations')
    .where('workspace_id', '=', workspace_id)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

/** Members, and invitations that can still be accepted. */
export const seats = async (db: ReadDb, workspace_id: string, at: string): Promise<number> => {
  const row = await db
    .selectNoFrom((of) => [
      of
        .selectFrom('workspace_members')
        .where('workspace_id', '=', workspace_id)
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .as('members'),
      of
        .selectFrom('workspace_invitations')
        .where('workspace_id', '=', workspace_id)
        .where('expires_at', '>', at)
        .select((inner) => inner.fn.countAll<number>().as('n'))
        .as('open'),
    ])
    .executeTakeFirstOrThrow()
  return Number(row.members) + Number(row.open)
}

const matching = (key: Key) =>
  'id' in key ? sql<boolean>`i.id = ${key.id} and i.email = ${key.email}` : sql<boolean>`i.token_hash = ${key.token_hash}`

/** The one statement that uses an invitation up: of many at once, one gets the row. */
export const takeInvitation = (db: TxDb, key: Key, at: string): Promise<Invitation | undefined> =>
  db
    .deleteFrom('workspace_invitations as i')
    .where(matching(key))
    .where('i.expires_at', '>', at)
    .returning(columns)
    .$castTo<Invitation>()
    .executeTakeFirst()

/** An invitation with what says whether it is still good. */
export interface FoundInvitation extends PendingInvitation {
  readonly workspace_id: string
  readonly invited_by: string
  /** Of who invited, now; null when they are no member any more or their account is switched off. */
  readonly inviter_role: WorkspaceRole | null
  readonly has_account: boolean
}

/** Of workspaces in use, and not expired. */
const open = (db: ReadDb, at: string) =>
  db
    .selectFrom('workspace_invitations as i')
    .innerJoin('workspaces as w', 'w.id', 'i.workspace_id')
    .innerJoin('users as u', 'u.id', 'i.invited_by')
    .leftJoin('workspace_members as m', (join) =>
      join.onRef('m.workspace_id', '=', 'i.workspace_id').onRef('m.user_id', '=', 'i.invited_by'),
    )
    .where('i.expires_at', '>', at)
    .where('w.deleted_at', 'is', null)
    .select((of) => [
      'i.id',
      'i.workspace_id',
      'i.invited_by',
      'i.email',
      'i.role',
      'i.created_at',
      'i.expires_at',
      'w.name as workspace_name',
      'u.name as inviter_name',
      'u.username as inviter_username',
      sql<WorkspaceRole | null>`case when u.is_active then m.role end`.as('inviter_role'),
      of.exists(of.selectFrom('users as invited').whereRef('invited.email', '=', 'i.email').select('invited.id')).as('has_account'),
    ])
    .$castTo<FoundInvitation>()

export const findInvitation = (db: ReadDb, key: Key, at: string): Promise<FoundInvitation | undefined> =>
  open(db, at).where(matching(key)).executeTakeFirst()

/** Newest first. */
export const invitationsTo = (db: ReadDb, email: string, at: string, most: number): Promise<readonly FoundInvitation[]> =>
  open(db, at).where('i.email', '=', email).orderBy('i.id', 'desc').limit(most).execute()

export const invitationsOfPerson = (db: ReadDb, user_id: string): Promise<readonly Invitation[]> =>
  db.selectFrom('workspace_invitations').select(columns).where('invited_by', '=', user_id).orderBy('id').$castTo<Invitation>().execute()

export const deleteInvitationsTo = async (db: TxDb, email: string): Promise<void> => {
  await db.deleteFrom('workspace_invitations').where('email', '=', email).execute()
}
