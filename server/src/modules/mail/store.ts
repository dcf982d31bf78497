import { sql } from 'kysely'
import type { ReadDb, TxDb } from '../../platform/database/open.ts'
import type { MailStatus, MailSummary } from './schema.ts'

export interface NewMailRow {
  readonly id: string
  readonly workspace_id: string | null
  readonly user_id: string | null
  readonly kind: string
  readonly recipient: string
  readonly subject: string
  readonly message_id: string
  readonly body: string
  readonly created_at: string
}

export interface MailRow extends MailSummary {
  readonly message_id: string
  /** Sealed; null once it was sent or dropped. */
  readonly body: string | null
}

const summary = [
  'id',
  'kind',
  'recipient',
  'subject',
  'status',
  'error',
  'attempts',
  'user_id',
  'workspace_id',
  'created_at',
  'ended_at',
] as const

/** False when a mail has that id already. */
export const insertMail = async (db: TxDb, mail: NewMailRow): Promise<boolean> => {
  // Without a column and without `returning`: a request may put mails into the post, and read none.
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('mails')
    .values(mail)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return numInsertedOrUpdatedRows === 1n
}

/** Holds a mail that is still to go out; undefined when it is not, or not there. */
export const lockQueued = (db: TxDb, id: string): Promise<MailRow | undefined> =>
  db
    .selectFrom('mails')
    .select([...summary, 'message_id', 'body'])
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .forUpdate()
    .executeTakeFirst()

/** Mails of its kind that its recipient had in the time before it. */
export const countBefore = async (
  db: ReadDb,
  mail: Pick<MailRow, 'id' | 'kind' | 'recipient' | 'created_at'>,
  since: string,
): Promise<number> => {
  const { total } = await db
    .selectFrom('mails')
    .where(sql<boolean>`lower(recipient) = lower(${mail.recipient})`)
    .where('kind', '=', mail.kind)
    .where('created_at', '>', since)
    .where((where) =>
      where.or([
        where('created_at', '<', mail.created_at),
        where.and([where('created_at', '=', mail.created_at), where('id', '<', mail.id)]),
      ]),
    )
    .where('status', '<>', 'dropped')
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return total
}

/** The mail, for the execution that delivers it; undefined when it is not to go out any more, or another one has it. */
export const claimMail = (db: TxDb, id: string, execution_id: string): Promise<MailRow | undefined> =>
  db
    .updateTable('mails')
    .set({ execution_id })
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .where((where) => where.or([where('execution_id', 'is', null), where('execution_id', '=', execution_id)]))
    .returning([...summary, 'message_id', 'body'])
    .executeTakeFirst()

/** Notes an attempt that may be made again. */
export const noteAttempt = async (db: TxDb, id: string, error: string, at: string): Promise<void> => {
  await db
    .updateTable('mails')
    .set((of) => ({ error, attempts: of('attempts', '+', 1), attempted_at: at }))
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .execute()
}

/** Ends a mail that was on its way; false when it had ended already. */
export const endMail = async (
  db: TxDb,
  id: string,
  end: { readonly status: Exclude<MailStatus, 'queued'>; readonly error: string | null; readonly attempted: boolean; readonly at: string },
): Promise<boolean> => {
  const { status, error, attempted, at } = end
  const ended = await db
    .updateTable('mails')
    .set((of) => ({
      ...{ status, error, ended_at: at },
      ...(attempted ? { attempts: of('attempts', '+', 1), attempted_at: at } : {}),
      ...(status === 'sent' || status === 'dropped' ? { body: null } : {}),
    }))
    .where('id', '=', id)
    .where('status', '=', 'queued')
    .executeTakeFirst()
  return ended.numUpdatedRows === 1n
}

export interface MailFilter {
  readonly status?: MailStatus | undefined
  readonly kind?: string | undefined
  /** A part of the address. */
  readonly recipient?: string | undefined
}

const filtered = (db: ReadDb, { status, kind, recipient }: MailFilter) => {
  let query = db.selectFrom('mails')
  if (status !== undefined) query = query.where('status', '=', status)
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (recipient !== undefined) query = query.where(sql<boolean>`strpos(lower(recipient), lower(${recipient})) > 0`)
  return query
}

export const listMails = (
  db: ReadDb,
  filter: MailFilter,
  page: { readonly after: string | null; readonly limit: number; readonly descending: boolean },
): Promise<readonly MailSummary[]> =>
  filtered(db, filter)
    .$if(page.after !== null, (query) => query.where('id', page.descending ? '<' : '>', page.after))
    .select(summary)
    .orderBy('id', page.descending ? 'desc' : 'asc')
    .limit(page.limit)
    .execute()

export const countMails = async (db: ReadDb, filter: MailFilter): Promise<number> => {
  const { total } = await filtered(db, filter)
    .select((of) => of.fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow()
  return total
}

export const mailById = (db: ReadDb, id: string): Promise<MailRow | undefined> =>
  db
    .selectFrom('mails')
    .select([...summary, 'message_id', 'body'])
    .where('id', '=', id)
    .executeTakeFirst()

/** The mail that was last tried to deliver. */
export const lastAttempt = (db: ReadDb): Promise<{ readonly status: MailStatus; readonly error: string | null } | undefined> =>
  db
    .selectFrom('mails')
    .select(['status', 'error'])
    .where('attempted_at', 'is not', null)
    .orderBy('attempted_at', 'desc')
    .limit(1)
    .executeTakeFirst()

/** What is on its way since before `at`, which nothing delivers any more. */
export const staleMails = (db: TxDb, at: string): Promise<readonly { id: string; kind: string; workspace_id: string | null }[]> =>
  db
    .selectFrom('mails')
    .select(['id', 'kind', 'workspace_id'])
    .where('status', '=', 'queued')
    .where('created_at', '<', at)
    .limit(1_000)
    .execute()

/** Removes up to a thousand mails from before `at`; answers how many. */
export const removeOld = async (db: TxDb, at: string): Promise<number> => {
  const removed = await db
    .deleteFrom('mails')
    .where('id', 'in', (of) =>
      of
        .selectFrom('mails')
        .select('id')
        .where('id', '<', sql<string>`millrace.first_id(${at}::timestamptz)`)
        .limit(1_000),
    )
    .executeTakeFirst()
  return Number(removed.numDeletedRows)
}

/**
 * Removes the mails about an account, and those to its address that are not on their way: whoever once gave a foreign address as theirs
 * must not stop what others send there.
 */
export const removeOf = async (db: TxDb, who: { readonly id: string; readonly email: string }): Promise<void> => {
  await db
    .deleteFrom('mails')
    .where((where) =>
      where.or([
        where('user_id', '=', who.id),
        where.and([sql<boolean>`lower(recipient) = lower(${who.email})`, where('status', '<>', 'queued')]),
      ]),
    )
    .execute()
}

export const removeOfWorkspace = async (db: TxDb, workspace_id: string): Promise<void> => {
  await db.deleteFrom('mails').where('workspace_id', '=', workspace_id).execute()
}

export const mailsOf = (db: ReadDb, user_id: string): Promise<readonly MailSummary[]> =>
  db.selectFrom('mails').select(summary).where('user_id', '=', user_id).orderBy('id').execute()
