import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import type { Workspace, WorkspaceRole } from './schema.ts'

/** A workspace as it is stored, with the role of the member who asks. `revision` becomes the ETag. */
export type WorkspaceRow = Workspace & { readonly revision: number }

/** Undefined when the slug is taken. */
export const insertWorkspace = (
  db: TxDb,
  workspace: {
    readonly id: string
    readonly name: string
    readonly slug: string
    readonly personal_of: string | null
    readonly created_at: string
  },
): Promise<{ id: string; slug: string } | undefined> =>
  db
    .insertInto('workspaces')
    .values({ ...workspace, updated_at: workspace.created_at })
    .onConflict((conflict) => conflict.column('slug').doNothing())
    .returning(['id', 'slug'])
    .executeTakeFirst()

export const insertMember = async (
  db: TxDb,
  member: { readonly workspace_id: string; readonly user_id: string; readonly role: WorkspaceRole; readonly created_at: string },
): Promise<void> => {
  await db.insertInto('workspace_members').values(member).execute()
}

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
      'w.created_at',
      'w.updated_at',
    ])

/** In the order they were made, after the one named. */
export const workspacesOfMember = async (
  db: ReadDb,
  user_id: string,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly WorkspaceRow[]> =>
  (await ofMember(db, user_id)
    .$if(page.after !== null, (query) => query.where('w.id', page.descending ? '<' : '>', page.after))
    .orderBy('w.id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .execute()) as unknown as readonly WorkspaceRow[]

export const countOfMember = async (db: ReadDb, user_id: string): Promise<number> => {
  const row = await db
    .selectFrom('workspace_members')
    .where('user_id', '=', user_id)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return row.total
}

export const workspaceOfMember = async (db: ReadDb, user_id: string, id: string): Promise<WorkspaceRow | undefined> =>
  (await ofMember(db, user_id).where('w.id', '=', id).executeTakeFirst()) as unknown as WorkspaceRow | undefined

export const memberships = async (
  db: ReadDb,
  user_id: string,
): Promise<readonly { readonly workspace_id: string; readonly role: WorkspaceRole; readonly is_personal: boolean }[]> =>
  (await db
    .selectFrom('workspace_members as m')
    .innerJoin('workspaces as w', 'w.id', 'm.workspace_id')
    .where('m.user_id', '=', user_id)
    .select((of) => ['m.workspace_id', 'm.role', of('w.personal_of', '=', user_id).as('is_personal')])
    .execute()) as unknown as readonly { workspace_id: string; role: WorkspaceRole; is_personal: boolean }[]

export const owners = (db: ReadDb, workspace_id: string): Promise<readonly { user_id: string }[]> =>
  db.selectFrom('workspace_members').select('user_id').where('workspace_id', '=', workspace_id).where('role', '=', 'owner').execute()

export const bySlug = (db: ReadDb, slug: string): Promise<{ id: string; slug: string } | undefined> =>
  db.selectFrom('workspaces').select(['id', 'slug']).where('slug', '=', slug).executeTakeFirst()

export const slugs = (db: ReadDb, ids: readonly string[]): Promise<readonly { id: string; slug: string }[]> =>
  db
    .selectFrom('workspaces')
    .select(['id', 'slug'])
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()
