import type { Sql } from 'postgres'

/** The execution that took a key; null when none has, or its time is over: then the key is free again. */
export const startedUnder = async (
  sql: Sql,
  { workflow_id, key, now }: { readonly workflow_id: string; readonly key: string; readonly now: number },
): Promise<string | null> => {
  const at = new Date(now).toISOString()
  const [, [found]] = await Promise.all([
    sql`
      delete from engine_starts
      where workflow_id = ${workflow_id} and key = ${key} and expires_at <= ${at}`,
    sql<{ execution_id: string }[]>`
      select execution_id
      from engine_starts
      where workflow_id = ${workflow_id} and key = ${key} and expires_at > ${at}`,
  ])
  return found?.execution_id ?? null
}
