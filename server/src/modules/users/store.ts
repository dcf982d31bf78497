import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import { savedQuery } from '../../platform/database/saved-query.ts'
import type { User } from './schema.ts'

/** A user as it is stored. `revision` becomes the ETag. */
export type UserRow = User & { readonly revision: number }

export const userColumns = [
  'id',
  'email',
  'username',
  'name',
  'avatar_url',
  'role',
  'plan',
  'is_active',
  'email_verified',
  'settings',
  'revision',
  'created_at',
  'updated_at',
] as const

/** Saved, because clients ask for a profile more often than for anything else. */
const findById = savedQuery<{ id: string }>()((db, value) => db.selectFrom('users').select(userColumns).where('id', '=', value('id')))

export const userById = async (db: ReadDb, id: string): Promise<UserRow | undefined> => {
  const [row] = await findById(db, { id })
  return row as UserRow | undefined
}

export const usersById = async (db: ReadDb, ids: readonly string[]): Promise<readonly UserRow[]> =>
  (await db
    .selectFrom('users')
    .select(userColumns)
    .where(sql<boolean>`id = any(${ids}::uuid[])`)
    .execute()) as readonly UserRow[]

export const userByEmail = async (db: ReadDb, email: string): Promise<UserRow | undefined> =>
  (await db.selectFrom('users').select(userColumns).where('email', '=', email).executeTakeFirst()) as UserRow | undefined

export const plansById = (db: ReadDb, ids: readonly string[]): Promise<readonly { id: string; plan: string }[]> =>
  db.selectFrom('users').select(['id', 'plan']).where('id', 'in', ids).execute()

export const anAdmin = (db: ReadDb): Promise<{ id: string } | undefined> =>
  db.selectFrom('users').select('id').where('role', '=', 'admin').limit(1).executeTakeFirst()

export const emailsById = (db: ReadDb, ids: readonly string[]): Promise<{ id: string; email: string }[]> =>
  db.selectFrom('users').select(['id', 'email']).where('id', 'in', ids).execute()

/** Locks the account against a change of its standing until the transaction ends, and says what it is. */
export const lockUser = (db: TxDb, id: string): Promise<{ is_active: boolean; revision: number } | undefined> =>
  db.selectFrom('users').select(['is_active', 'revision']).where('id', '=', id).forUpdate().executeTakeFirst()

/** Holds every admin as they are until the transaction ends, so that of two who demote each other one comes second. */
export const lockAdmins = async (db: TxDb): Promise<readonly string[]> => {
  const admins = await db
    .selectFrom('users')
    .select('id')
    .where('role', '=', 'admin')
    .where('is_active', '=', true)
    .orderBy('id')
    .forUpdate()
    .execute()
  return admins.map(({ id }) => id)
}

/** Undefined when the address or the username is taken. */
export const insertUser = async (
  db: TxDb,
  user: Pick<User, 'id' | 'email' | 'username' | 'name' | 'role' | 'plan' | 'email_verified' | 'created_at'>,
): Promise<UserRow | undefined> =>
  (await db
    .insertInto('users')
    .values({ ...user, updated_at: user.created_at })
    .onConflict((conflict) => conflict.doNothing())
    .returning(userColumns)
    .executeTakeFirst()) as UserRow | undefined

export interface ProfileUpdate {
  readonly name?: string | null
  readonly username?: string
  readonly avatar_url?: string | null
  readonly settings?: User['settings']
}

/** The row must be there. */
export const updateProfile = async (db: TxDb, id: string, change: ProfileUpdate, at: string): Promise<UserRow> =>
  (await db
    .updateTable('users')
    .set((of) => ({ ...change, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(userColumns)
    .executeTakeFirstOrThrow()) as UserRow

/** The row must be there. */
export const updateActive = async (db: TxDb, id: string, is_active: boolean, at: string): Promise<UserRow> =>
  (await db
    .updateTable('users')
    .set((of) => ({ is_active, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(userColumns)
    .executeTakeFirstOrThrow()) as UserRow

/** The row must be there. */
export const updateAddress = async (
  db: TxDb,
  id: string,
  address: { readonly email: string; readonly email_verified: boolean },
  at: string,
): Promise<UserRow> =>
  (await db
    .updateTable('users')
    .set((of) => ({ ...address, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(userColumns)
    .executeTakeFirstOrThrow()) as UserRow

export const countSignIn = async (db: TxDb, user_id: string, at: string): Promise<void> => {
  await db
    .insertInto('sign_ins')
    .values({ user_id, total: 1, last_at: at })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet((of) => ({ total: of('sign_ins.total', '+', 1), last_at: at })))
    .execute()
}

export const signInsOf = (db: ReadDb, user_id: string): Promise<{ total: number; last_at: string } | undefined> =>
  db.selectFrom('sign_ins').select(['total', 'last_at']).where('user_id', '=', user_id).executeTakeFirst()
