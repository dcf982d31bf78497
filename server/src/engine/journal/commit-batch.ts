import type { Sql } from 'postgres'
import { firstId } from '../../lib/id.ts'
import { plainArray, jsonArray } from './array-literal.ts'
import type { Entry, Finish, NewExecution } from './record.ts'

/** Stands in the text of a statement for the id from which on executions are updated. */
const since = '<since>'

/**
 * One statement, one transaction, one round trip for everything that the executions of this process have gathered.
 *
 * - Nothing is written unless the worker's lease row still has this epoch. `for key share` makes a takeover, which raises the
 *   epoch, wait for the batch and the batch see the takeover; it does not conflict with heartbeats.
 * - Each insert is `on conflict do nothing`, so a batch whose answer was lost is simply sent again.
 * - An execution that begins and ends within one batch is inserted as ended and never updated.
 * - One that was tried again since it ended by this batch is not ended once more when the batch is sent again.
 * - An execution is put to sleep together with the record that says so, not when that is sent again: it may have been woken since.
 * - The update does not ask whether an execution is unfinished: whoever has the lease is the only one to finish it, and with the question the
 *   planner reads the whole index of unfinished ones for each batch (with 19,000 of them 56 µs of the database's CPU for each end instead of 28).
 * - An update looks at the weeks from the oldest of its executions on alone (`since`, a constant of the text, so that the others are not even part of the
 *   plan): otherwise each batch pays for every week that is kept (16 entries, a year of weeks: 17.6 ms instead of 0.9).
 *
 * Measured with 64 entries a batch, two batches in flight, on 2 cores: 44,000 entries/s as array literals, 37,000 as the driver's arrays; one JSON
 * document read by `json_to_recordset` is as fast, but refuses the \u0000 that customers do send.
 */
const statementFor = (once: {
  readonly keys: string
  readonly asleep: string
  readonly told_by: string
  readonly standing: { readonly columns: string; readonly values: string; readonly arrays: string }
  readonly unless: (id: string) => string
  /** The batch may have been written before. */
  readonly again: boolean
}): string => `
with lease as materialized (
  select 1
  from engine_workers
  where id = $1 and epoch = $2 and state = 'alive'
  for key share
),
${once.keys}accepted as (
  insert into executions (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, worker_id, error, started_at, finished_at${once.standing.columns})
  select a.id, a.workspace_id, a.workflow_id, a.version, a.mode, a.status, a.trigger_type, a.trigger_node_id,
    case when a.held then $1 end, a.error, a.started_at, a.finished_at${once.standing.values}
  from unnest($3::text::uuid[], $4::text::uuid[], $5::text::uuid[], $6::text::int[], $7::text::text[], $8::text::text[], $9::text::text[],
    $10::text::text[], $11::text::bool[], $12::text::json[], $13::text::timestamptz[], $14::text::timestamptz[]${once.standing.arrays})
    as a (id, workspace_id, workflow_id, version, mode, status, trigger_type, trigger_node_id, held, error, started_at, finished_at${once.standing.columns}), lease
  ${once.unless('a.id')}
  on conflict do nothing
),
recorded as (
  insert into execution_records (execution_id, seq, workspace_id, body)
  select r.execution_id, r.seq, r.workspace_id, r.body
  from unnest($15::text::uuid[], $16::text::int[], $17::text::uuid[], $18::text::json[]) as r (execution_id, seq, workspace_id, body), lease
  ${once.unless('r.execution_id')}
  on conflict do nothing
),
finished as (
  update executions as e
  set status = f.status, finished_at = f.finished_at, error = f.error, worker_id = null
  from unnest($19::text::uuid[], $20::text::text[], $21::text::timestamptz[], $22::text::json[]) as f (id, status, finished_at, error), lease
  where e.id = f.id and e.id >= '${since}'${once.again ? unlessEnded : ''}
),
${once.asleep}told as (
  insert into events (id, workspace_id, name, actor_type, data, created_at)
  select v.id, v.workspace_id, v.name, 'system', v.data, v.created_at
  from unnest($23::text::uuid[], $24::text::uuid[], $25::text::text[], $26::text::json[], $27::text::timestamptz[]${once.told_by})
    as v (id, workspace_id, name, data, created_at${once.told_by === '' ? '' : ', execution_id'}), lease
  ${once.unless('v.execution_id')}
  on conflict do nothing
)
select count(*)::int as held${once.keys === '' ? '' : ', array(select execution_id::text from lost) as lost'} from lease`

/** One that ended by this batch, and was tried again since, has not ended now. */
const unlessEnded = `
    and not exists (
      select from execution_records as r
      join unnest($15::text::uuid[], $16::text::int[]) as own (id, seq) on r.execution_id = own.id and r.seq = own.seq
      where own.id = f.id
    )`

const putToSleep = `
asleep as (
  update executions as e
  set status = 'waiting', worker_id = null, wake_at = case when e.paused_at is null then s.wake_at else 'infinity' end,
    admitted_at = case when e.paused_at is null then e.admitted_at end
  from unnest($28::text::uuid[], $29::text::int[], $30::text::timestamptz[]) as s (id, seq, wake_at), lease
  where e.id = s.id and e.id >= '${since}'
    and not exists (select from execution_records as r where r.execution_id = s.id and r.seq = s.seq and r.execution_id >= '${since}')
),
`

const plain = { keys: '', asleep: '', told_by: '', standing: { columns: '', values: '', arrays: '' }, unless: () => '' }

/** Apart, because a batch in which nothing goes to sleep would pay for the question: an update of every partition that finds no row. */
const withSleep = { ...plain, asleep: putToSleep }

/**
 * With executions that begin only if their key is free. What is `lost` came second: nothing of it is written. A key that is held by the
 * execution itself is from this batch, sent before. Each such batch removes some keys whose time is over. And with executions that have a priority,
 * or stand in a line: nobody wakes those before they are admitted.
 */
const withKeys = {
  keys: `
wanted as materialized (
  select o.workflow_id, o.key, o.workspace_id, o.execution_id, o.expires_at
  from unnest($32::text::uuid[], $33::text::text[], $34::text::uuid[], $35::text::uuid[], $36::text::timestamptz[])
    as o (workflow_id, key, workspace_id, execution_id, expires_at), lease
),
expired as (
  delete from engine_starts
  where (workflow_id, key) in (
    select workflow_id, key
    from engine_starts
    where expires_at < $37::text::timestamptz
    order by expires_at
    limit 100
    for update skip locked
  )
),
taken as (
  insert into engine_starts (workflow_id, key, workspace_id, execution_id, expires_at)
  select workflow_id, key, workspace_id, execution_id, expires_at
  from wanted
  order by workflow_id, key
  on conflict do nothing
  returning execution_id
),
lost as materialized (
  select execution_id from wanted
  except select execution_id from taken
  except select execution_id from engine_starts join wanted using (workflow_id, key, execution_id)
),
`,
  asleep: putToSleep,
  told_by: ', $31::text::uuid[]',
  standing: {
    columns: ', priority, line, rate_key, wake_at',
    values: ', a.priority, a.line, a.rate_key, a.wake_at',
    arrays: ', $38::text::smallint[], $39::text::text[], $40::text::text[], $41::text::timestamptz[]',
  },
  unless: (id: string) => `where not exists (select from lost where lost.execution_id = ${id})`,
}

const [first_time, again] = [false, true].map((sent_before) => ({
  plain: statementFor({ ...plain, again: sent_before }),
  asleep: statementFor({ ...withSleep, again: sent_before }),
  keyed: statementFor({ ...withKeys, again: sent_before }),
})) as [Statements, Statements]

interface Statements {
  readonly plain: string
  readonly asleep: string
  readonly keyed: string
}

type Accepted = Entry & { readonly accept: NewExecution }
type Ended = Entry & { readonly finish: Finish }
type Told = Entry & { readonly finish: Finish & { readonly event: NonNullable<Finish['event']> } }
type Asleep = Entry & { readonly wake_at: string }

type Keyed = Accepted & { readonly accept: { readonly once: NonNullable<NewExecution['once']> } }

const isKeyed = (entry: Accepted): entry is Keyed => entry.accept.once !== null
const isAccepted = (entry: Entry): entry is Accepted => entry.accept !== null
const isEnded = (entry: Entry): entry is Ended => entry.finish !== null
const isTold = (entry: Ended): entry is Told => entry.finish.event !== null
const isAsleep = (entry: Entry): entry is Asleep => entry.wake_at !== null

const sleepersOf = (asleep: readonly Asleep[]): readonly string[] => [
  plainArray(asleep, (e) => e.execution_id),
  plainArray(asleep, (e) => e.seq),
  plainArray(asleep, (e) => e.wake_at),
]

const standingOf = (accepted: readonly Accepted[]): readonly string[] => [
  plainArray(accepted, (e) => e.accept.standing?.priority ?? 0),
  jsonArray(accepted, (e) => e.accept.standing?.in_line?.line ?? null),
  jsonArray(accepted, (e) => e.accept.standing?.in_line?.rate_key ?? null),
  plainArray(accepted, (e) => e.accept.standing?.in_line?.until ?? 'NULL'),
]

const week_ms = 7 * 86_400_000
/** Weeks begin on Mondays. */
const first_monday_ms = 4 * 86_400_000
const nothing = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** The beginning of the week of the oldest one, so that there are few such texts. */
const sinceOf = (updated: readonly Entry[]): string => {
  if (updated.length === 0) return nothing
  const oldest = updated.reduce((lowest, { execution_id }) => (execution_id < lowest ? execution_id : lowest), nothing)
  const ms = Number.parseInt(oldest.slice(0, 8) + oldest.slice(9, 13), 16)
  return firstId(Math.floor((ms - first_monday_ms) / week_ms) * week_ms + first_monday_ms)
}

const none = new Set<string>([])

/**
 * Commits the entries; answers with the executions whose key was taken before, of which nothing is written. Null when the lease was
 * lost: then nothing at all was written. `now`: Unix milliseconds. `sent_before`: the answer was lost.
 */
export const commitBatch = async (
  sql: Sql,
  lease: { id: string; epoch: number },
  entries: readonly Entry[],
  now: number,
  sent_before = false,
): Promise<ReadonlySet<string> | null> => {
  const statements = sent_before ? again : first_time
  const accepted = entries.filter(isAccepted)
  const ended = entries.filter(isEnded)
  const told = ended.filter(isTold)
  const asleep = entries.filter(isAsleep)
  const closing = ended.filter((entry) => entry.accept === null)
  const keyed = accepted.filter(isKeyed)
  const alike = keyed.length === 0 && accepted.every((entry) => entry.accept.standing === undefined)
  const statement = alike ? (asleep.length > 0 ? statements.asleep : statements.plain) : statements.keyed
  const rows = await sql.unsafe<{ held: number; lost?: string[] }[]>(
    statement.replaceAll(since, sinceOf(asleep.length === 0 ? closing : [...closing, ...asleep])),
    [
      lease.id,
      lease.epoch,
      plainArray(accepted, (e) => e.execution_id),
      plainArray(accepted, (e) => e.workspace_id),
      plainArray(accepted, (e) => e.accept.workflow_id),
      plainArray(accepted, (e) => e.accept.version),
      plainArray(accepted, (e) => e.accept.mode),
      plainArray(accepted, (e) => e.finish?.status ?? e.accept.status),
      plainArray(accepted, (e) => e.accept.trigger_type),
      plainArray(accepted, (e) => e.accept.trigger_node_id),
      plainArray(accepted, (e) => e.accept.held && e.finish === null),
      jsonArray(accepted, (e) => e.finish?.error ?? null),
      plainArray(accepted, (e) => e.accept.started_at),
      plainArray(accepted, (e) => e.finish?.finished_at ?? 'NULL'),
      plainArray(entries, (e) => e.execution_id),
      plainArray(entries, (e) => e.seq),
      plainArray(entries, (e) => e.workspace_id),
      jsonArray(entries, (e) => e.body),
      plainArray(closing, (e) => e.execution_id),
      plainArray(closing, (e) => e.finish.status),
      plainArray(closing, (e) => e.finish.finished_at),
      jsonArray(closing, (e) => e.finish.error),
      plainArray(told, (e) => e.finish.event.id),
      plainArray(told, (e) => e.finish.event.workspace_id ?? 'NULL'),
      plainArray(told, (e) => e.finish.event.name),
      jsonArray(told, (e) => e.finish.event.data),
      plainArray(told, (e) => e.finish.finished_at),
      ...(alike && asleep.length === 0 ? [] : sleepersOf(asleep)),
      ...(alike ? [] : [plainArray(told, (e) => e.execution_id), ...keysOf(keyed, now), ...standingOf(accepted)]),
    ],
    { prepare: true },
  )
  const [row] = rows
  if (row?.held !== 1) return null
  return row.lost === undefined || row.lost.length === 0 ? none : new Set(row.lost)
}

const keysOf = (keyed: readonly Keyed[], now: number): readonly string[] => [
  plainArray(keyed, (e) => e.accept.workflow_id),
  plainArray(keyed, (e) => e.accept.once.key),
  plainArray(keyed, (e) => e.workspace_id),
  plainArray(keyed, (e) => e.execution_id),
  plainArray(keyed, (e) => e.accept.once.until),
  new Date(now).toISOString(),
]
