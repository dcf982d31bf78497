import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import type { Workspace, WorkspaceRole } from './schema.ts'

/** A workspace as it is stored, with the role of the member who asks. `revision` becomes the ETag. */
export type WorkspaceRow = Workspace & { readonly revision: number }

/** A workspace that is locked. */
export interface LockedRow {
  readonly id: string
  readonly name: string
  readonly slug: string
  readonly is_personal: boolean
  readonly deleted_at: string | null
  readonly purge_at: string | null
  readonly revision: number
}

/**
 * Makes a slug that of a workspace, which may be made later in the transaction; of two who claim one at once, one waits for the other. True
 * also when it was that workspace's before, false when it is another's.
 */
export const claimSlug = async (
  db: TxDb,
  claim: { readonly slug: string; readonly workspace_id: string; readonly created_at: string },
): Promise<boolean> => {
  const made = await db
    .insertInto('workspace_slugs')
    .values(claim)
    .onConflict((conflict) => conflict.doNothing())
    .returning('slug')
    .executeTakeFirst()
  if (made !== undefined) return true
  const { slug, workspace_id } = claim
  const own = await db
    .selectFrom('workspace_slugs')
    .select('slug')
    .where('slug', '=', slug)
    .where('workspace_id', '=', workspace_id)
    .executeTakeFirst()
  return own !== undefined
}

export const countSlugs = async (db: ReadDb, workspace_id: string): Promise<number> => {
  const row = await db
    .selectFrom('workspace_slugs')
    .where('workspace_id', '=', workspace_id)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

/** The slug must be claimed. */
export const insertWorkspace = async (
  db: TxDb,
  workspace: {
    readonly id: string
    readonly name: string
    readonly slug: string
    readonly personal_of: string | null
    readonly created_at: string
  },
): Promise<void> => {
  await db
    .insertInto('workspaces')
    .values({ ...workspace, updated_at: workspace.created_at })
    .execute()
}

/** Raises the revision; the row must be locked. */
export const updateWorkspace = async (
  db: TxDb,
  id: string,
  change: {
    readonly name?: string
    readonly slug?: string
    readonly deleted_at?: string | null
    readonly purge_at?: string | null
  },
  at: string,
): Promise<void> => {
  await db
    .updateTable('workspaces')
    .set((of) => ({ ...change, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .execute()
}

/** Changes of one workspace and its members come one after the other: each takes this lock first. What else is made in it does not wait. */
export const lockWorkspace = (db: TxDb, id: string): Promise<LockedRow | undefined> =>
  db
    .selectFrom('workspaces')
    .select((of) => ['id', 'name', 'slug', of('personal_of', 'is not', null).as('is_personal'), 'deleted_at', 'purge_at', 'revision'])
    .where('id', '=', id)
    .forNoKeyUpdate()
    .$castTo<LockedRow>()
    .executeTakeFirst()

const ofMember = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('workspaces as w')
    .innerJoin('workspace_members as m', 'm.workspace_id', 'w.id')
    .where('m.user_id', '=', user_id)
    .select((of) => [
      'w.id',
      'w.name',
      'w.slug',
      of('w.personal_of', 'is not', null).as('is_personal'),
      'm.role',
      'w.revision',
      'w.deleted_at',
      'w.purge_at',
      'w.created_at',
      'w.updated_at',
    ])

/** Those in use, or those that the member owns and has deleted. */
const inState = (db: ReadDb, user_id: string, deleted: boolean) =>
  ofMember(db, user_id)
    .where('w.deleted_at', deleted ? 'is not' : 'is', null)
    .$if(deleted, (query) => query.where('m.role', '=', 'owner'))

/** In the order they were made, after the one named. */
export const workspacesOfMember = (
  db: ReadDb,
  user_id: string,
  page: { readonly deleted: boolean; readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly WorkspaceRow[]> =>
  inState(db, user_id, page.deleted)
    .$if(page.after !== null, (query) => query.where('w.id', page.descending ? '<' : '>', page.after))
    .orderBy('w.id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .$castTo<WorkspaceRow>()
    .execute()

export const countOfMember = async (db: ReadDb, user_id: string, deleted: boolean): Promise<number> => {
  const row = await inState(db, user_id, deleted)
    .clearSelect()
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

/** Also one that was deleted. */
export const workspaceOfMember = (db: ReadDb, user_id: string, id: string): Promise<WorkspaceRow | undefined> =>
  ofMember(db, user_id).where('w.id', '=', id).$castTo<WorkspaceRow>().executeTakeFirst()

/** How many workspaces in use a user owns, the personal one included. */
export const countOwned = (db: ReadDb, user_id: string): Promise<number> =>
  inState(db, user_id, false)
    .where('m.role', '=', 'owner')
    .clearSelect()
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
    .then(({ total }) => total)

/** Of the workspaces that are in use. */
export const memberships = (
  db: ReadDb,
  user_id: string,
): Promise<readonly { readonly workspace_id: string; readonly role: WorkspaceRole; readonly is_personal: boolean }[]> =>
  db
    .selectFrom('workspace_members as m')
    .innerJoin('workspaces as w', 'w.id', 'm.workspace_id')
    .where('m.user_id', '=', user_id)
    .where('w.deleted_at', 'is', null)
    .select((of) => ['m.workspace_id', 'm.role', of('w.personal_of', '=', user_id).as('is_personal')])
    .$castTo<{ workspace_id: string; role: WorkspaceRole; is_personal: boolean }>()
    .execute()

export const slugs = (db: ReadDb, ids: readonly string[]): Promise<readonly { id: string; slug: string }[]> =>
  db
    .selectFrom('workspaces')
    .select(['id', 'slug'])
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()

/** The slugs that workspaces in use have or had. */
export const names = (db: ReadDb, ids: readonly string[]): Promise<readonly { id: string; slug: string }[]> =>
  db
    .selectFrom('workspaces as w')
    .innerJoin('workspace_slugs as s', 's.workspace_id', 'w.id')
    .select(['w.id', 's.slug'])
    .where(sql<boolean>`w.id = any(${ids}::uuid[])`)
    .where('w.deleted_at', 'is', null)
    .execute()

export const onlyOwnedBy = async (db: ReadDb, user_id: string): Promise<readonly { readonly id: string; readonly name: string }[]> => {
  const { rows } = await sql<{ id: string; name: string }>`
    select w.id, w.name
    from workspaces w
    join workspace_members m on m.workspace_id = w.id and m.user_id = ${user_id} and m.role = 'owner'
    where w.personal_of is null
      and w.deleted_at is null
      and exists (select from workspace_members o where o.workspace_id = w.id and o.user_id <> ${user_id})
      and not exists (select from workspace_members o where o.workspace_id = w.id and o.user_id <> ${user_id} and o.role = 'owner')
    order by w.id`.execute(db)
  return rows
}

export const workspacesOfPerson = (db: ReadDb, user_id: string) =>
  db
    .selectFrom('workspace_members as m')
    .innerJoin('workspaces as w', 'w.id', 'm.workspace_id')
    .select(['w.id', 'w.name', 'w.slug', 'm.role', 'm.created_at as member_since'])
    .where('m.user_id', '=', user_id)
    .orderBy('w.id')
    .execute()
