import { sql, type SqlBool } from 'kysely'
import type { ReadDb, TxDb } from '../../../platform/database/open.ts'
import type { User } from '../schema.ts'
import { userColumns, type UserRow } from '../store.ts'

export interface Filter {
  readonly role?: User['role']
  readonly plan?: User['plan']
  readonly status?: 'active' | 'inactive'
  readonly search?: string
}

const matching = (db: ReadDb, { role, plan, status, search }: Filter) =>
  db
    .selectFrom('users')
    .$if(role !== undefined, (query) => query.where('role', '=', role as User['role']))
    .$if(plan !== undefined, (query) => query.where('plan', '=', plan as User['plan']))
    .$if(status !== undefined, (query) => query.where('is_active', '=', status === 'active'))
    .$if(search !== undefined, (query) => query.where(containing(search as string)))

/** Upper and lower case alike; `%`, `_` and the backslash stand for themselves. */
const containing = (search: string) => {
  const pattern = `%${search.replace(/[\\%_]/g, String.raw`\$&`)}%`
  return sql<SqlBool>`(email ilike ${pattern} or username ilike ${pattern} or name ilike ${pattern})`
}

/** In the order they were made, after the one named. */
export const usersMatching = async (
  db: ReadDb,
  filter: Filter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly UserRow[]> =>
  (await matching(db, filter)
    .select(userColumns)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after as string))
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .execute()) as readonly UserRow[]

export const countMatching = async (db: ReadDb, filter: Filter): Promise<number> =>
  (
    await matching(db, filter)
      .select((of) => of.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow()
  ).total

/** The row must be there. */
export const updateStanding = async (db: TxDb, id: string, standing: Partial<Pick<User, 'role' | 'plan'>>, at: string): Promise<UserRow> =>
  (await db
    .updateTable('users')
    .set((of) => ({ ...standing, revision: of('revision', '+', 1), updated_at: at }))
    .where('id', '=', id)
    .returning(userColumns)
    .executeTakeFirstOrThrow()) as UserRow

export interface Counts {
  readonly total: number
  readonly active: number
  readonly verified: number
  readonly made_last_7_days: number
  readonly made_last_30_days: number
}

export const countUsers = (db: ReadDb, week_ago: string, month_ago: string): Promise<Counts> =>
  db
    .selectFrom('users')
    .select((of) => [
      of.fn.countAll<number>().as('total'),
      sql<number>`count(*) filter (where is_active)`.as('active'),
      sql<number>`count(*) filter (where email_verified)`.as('verified'),
      sql<number>`count(*) filter (where created_at >= ${week_ago})`.as('made_last_7_days'),
      sql<number>`count(*) filter (where created_at >= ${month_ago})`.as('made_last_30_days'),
    ])
    .executeTakeFirstOrThrow()

export const countBy = (db: ReadDb, column: 'role' | 'plan'): Promise<readonly { readonly value: string; readonly count: number }[]> =>
  db
    .selectFrom('users')
    .select((of) => [of.ref(column).as('value'), of.fn.countAll<number>().as('count')])
    .groupBy(column)
    .orderBy(column)
    .execute()
