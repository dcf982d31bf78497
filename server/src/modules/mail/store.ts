import type { TxDb } from '../../platform/database/open.ts'

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

export const insertMail = async (db: TxDb, mail: NewMailRow): Promise<void> => {
  await db.insertInto('mails').values(mail).execute()
}
