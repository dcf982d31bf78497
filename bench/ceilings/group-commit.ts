import type { Sql } from 'postgres'

/** A record to make durable: which execution, which of its records, and JSON. */
export interface Row {
  readonly id: string
  readonly seq: number
  readonly body: string
}

interface Waiting {
  readonly row: Row
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const insert = `
insert into records (id, seq, body)
select * from unnest($1::text::uuid[], $2::text::int[], $3::text::json[])`

const most_in_flight = 2

export const createRecords = async (sql: Sql): Promise<void> => {
  await sql`create table if not exists records (id uuid not null, seq integer not null, body json not null, primary key (id, seq))`
}

/** The least that durable work can cost here: rows of many callers in one insert, two inserts under way, an answer after the commit. */
export const groupCommit = (sql: Sql): ((row: Row) => Promise<void>) => {
  let waiting: Waiting[] = []
  let in_flight = 0
  let scheduled = false

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    const ids = `{${batch.map(({ row }) => row.id).join(',')}}`
    const seqs = `{${batch.map(({ row }) => row.seq).join(',')}}`
    const bodies = `{${batch.map(({ row }) => `"${row.body.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
    try {
      await sql.unsafe(insert, [ids, seqs, bodies], { prepare: true })
      for (const { resolve } of batch) resolve()
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  const pump = (): void => {
    scheduled = false
    while (in_flight < most_in_flight && waiting.length > 0) {
      const batch = waiting
      waiting = []
      in_flight += 1
      void send(batch).then(() => {
        in_flight -= 1
        pump()
      })
    }
  }

  return (row) =>
    new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject })
      if (scheduled || in_flight === most_in_flight) return
      scheduled = true
      setImmediate(pump)
    })
}
