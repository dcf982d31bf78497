import { isDeepStrictEqual } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { type Kind, type Payload, tick_ms } from './kinds.ts'
import type { Acknowledged } from './load.ts'
import type { EffectCall } from './receiver.ts'
import type { Workflow } from './workflows.ts'

export interface Report {
  readonly acknowledged: number
  readonly executions: number
  readonly effects: number
  /** Effects that were called a second time after a crash: allowed for those in flight, counted here. */
  readonly repeated_effects: number
  readonly kills_of_the_server: number
  /** Sentences about what must not be; empty when all is well. */
  readonly faults: readonly string[]
}

/** A server died, or could not be heard of for a while. Unix milliseconds. */
export interface Kill {
  readonly at: number
  /** From here on it does nothing any more. */
  readonly gone: number
  /** What it held; null where that is not known, and may be anything. */
  readonly held: ReadonlySet<string> | null
}

interface Step {
  readonly node_id: string
  readonly path?: string
  readonly status: string
  readonly output: unknown
}

interface Execution {
  readonly id: string
  readonly workflow_id: string
  readonly status: string
  readonly error: { readonly code: string; readonly message: string } | null
  /** Ends that the event log tells of. */
  readonly told: number
  readonly records: readonly {
    readonly seq: number
    readonly body: {
      readonly trigger?: { readonly payload: Payload }
      readonly steps: readonly Step[]
      readonly ending?: { readonly status: string }
    }
  }[]
}

export interface Outside {
  readonly acknowledged: readonly Acknowledged[]
  readonly workflows: readonly Workflow[]
  readonly calls: ReadonlyMap<string, readonly EffectCall[]>
  readonly kills: readonly Kill[]
  /** Ids of the drafts that servers have told of. */
  readonly drafts: readonly string[]
  readonly log: (line: string) => void
}

/** What an event starts comes a moment after it, or some seconds where whoever follows events has just lost the database. */
const following_ms = 30_000

/** Waits until every execution has ended, then holds the database against what the outside saw, until nothing is missing or nothing more can come. */
export const reconcile = async (database: postgres.Options<Record<string, never>>, outside: Outside): Promise<Report> => {
  const sql = postgres({ ...database, max: 1 })
  const deadline = Date.now() + following_ms
  try {
    for (;;) {
      await untilAllEnded(sql)
      const report = await compare(sql, outside)
      if (report.faults.length === 0 || Date.now() > deadline) return report
      await pause(1_000)
    }
  } finally {
    await sql.end()
  }
}

const compare = async (sql: postgres.Sql, outside: Outside): Promise<Report> => {
  const books = openBooks(outside)
  for (let after = nobody, page = await read(sql, after); page.length > 0; page = await read(sql, after)) {
    for (const execution of page) enter(books, execution)
    after = page.at(-1)?.id ?? after
  }
  const faults = [
    ...books.faults,
    ...lost(books),
    ...wrongEffects(books),
    ...wrongDrafts(books),
    ...wrongTicks(books),
    ...(await tooManyAtOnce(sql, outside)),
  ]
  return {
    acknowledged: outside.acknowledged.length,
    executions: books.kinds.size,
    effects: outside.calls.size,
    repeated_effects: [...outside.calls.values()].filter((calls) => calls.length > 1).length,
    kills_of_the_server: outside.kills.length,
    faults,
  }
}

const nobody = '00000000-0000-0000-0000-000000000000'
const page_size = 1_000

const read = (sql: postgres.Sql, after: string): Promise<readonly Execution[]> => sql<Execution[]>`
  with page as (
    select id, workflow_id, status, error
    from executions
    where mode <> 'job' and id > ${after}
    order by id
    limit ${page_size}
  ),
  ends as (
    select data ->> 'execution_id' as execution_id, count(*)::int as told
    from events
    where name in ('workflows.execution.succeeded', 'workflows.execution.failed', 'workflows.execution.cancelled', 'workflows.execution.timed_out')
      and data ->> 'execution_id' in (select id::text from page)
    group by 1
  )
  select page.*, coalesce(ends.told, 0) as told,
    (select coalesce(json_agg(json_build_object('seq', seq, 'body', body) order by seq), '[]')
      from execution_records
      where execution_id = page.id) as records
  from page
  left join ends on ends.execution_id = page.id::text
  order by page.id`

const untilAllEnded = async (sql: postgres.Sql): Promise<void> => {
  const deadline = Date.now() + 60_000
  for (;;) {
    const open = await sql<{ id: string; status: string }[]>`
      select id, status from executions
      where finished_at is null and mode <> 'job'
      limit 20`
    if (open.length === 0) return
    if (Date.now() > deadline) throw new Error(`a minute after the last start these had not ended: ${JSON.stringify(open)}`)
    await pause(200)
  }
}

/** What has been read so far. */
interface Books {
  readonly outside: Outside
  readonly kindOf: ReadonlyMap<string, Kind>
  /** The kind of each execution. */
  readonly kinds: Map<string, Kind>
  /** How often each workflow was started for the same thing: a number, a draft, a time. */
  readonly causes: Map<string, number>
  readonly ticks: number[]
  readonly heard_drafts: Map<string, number>
  readonly faults: string[]
}

const openBooks = (outside: Outside): Books => ({
  outside,
  kindOf: new Map(outside.workflows.map(({ id, kind }) => [id, kind])),
  kinds: new Map([]),
  causes: new Map([]),
  ticks: [],
  heard_drafts: new Map([]),
  faults: [],
})

/** Each journal is whole: records without a gap, the trigger first, each step settled once and in full, one ending, last. */
const enter = (books: Books, execution: Execution): void => {
  const { id, workflow_id, status, error, told, records } = execution
  const kind = books.kindOf.get(workflow_id)
  if (kind === undefined) return void books.faults.push(`execution ${id} is of no workflow that there is`)
  books.kinds.set(id, kind)
  const wrong: string[] = []
  const steps = records.flatMap(({ body }) => body.steps).filter((step) => step.status === 'succeeded')
  const paths = steps.map((step) => step.path ?? step.node_id).toSorted()
  const payload = records[0]?.body.trigger?.payload
  const result = steps.find((step) => step.node_id === 'result')?.output ?? null
  if (records.some((record, index) => record.seq !== index)) wrong.push('has a gap')
  if (payload === undefined) wrong.push('has no beginning')
  if (status !== kind.ends) wrong.push(`ended as ${status}: ${JSON.stringify(error)}`)
  if (kind.ends === 'failed' && error?.message !== 'The mill stands still') wrong.push(`failed with ${JSON.stringify(error)}`)
  if (paths.join() !== kind.steps.join()) wrong.push(`has the steps ${paths.join()}`)
  if (payload !== undefined && !isDeepStrictEqual(result, kind.result(payload))) wrong.push(`has the result ${JSON.stringify(result)}`)
  if (records.filter(({ body }) => body.ending !== undefined).length !== 1) wrong.push('has not one ending')
  if (records.at(-1)?.body.ending?.status !== status) wrong.push('does not end as its execution does')
  if (told !== 1) wrong.push(`was told ${told} times to have ended`)
  books.faults.push(...wrong.map((what) => `${kind.name} ${id} ${what}`))
  if (payload !== undefined) noteCause(books, kind, payload)
}

/** Nothing starts a workflow twice. */
const noteCause = (books: Books, kind: Kind, payload: Payload): void => {
  const cause = payload.body?.n ?? payload.n ?? payload.execution_id ?? payload.scheduled_at ?? payload.data?.workflow_id
  const key = `${kind.name} ${cause}`
  const times = (books.causes.get(key) ?? 0) + 1
  books.causes.set(key, times)
  if (times > 1) books.faults.push(`${key} was started ${times} times`)
  if (payload.scheduled_at !== undefined) books.ticks.push(Date.parse(payload.scheduled_at))
  if (payload.data !== undefined) books.heard_drafts.set(payload.data.workflow_id, times)
}

const lost = ({ outside, kinds, causes }: Books): string[] => {
  const faults = outside.acknowledged.flatMap(({ execution_id, kind, n }) => {
    if (kinds.get(execution_id)?.name === kind) return []
    return [`execution ${execution_id} of ${kind} ${n} was acknowledged and is not there`]
  })
  const amount = (name: string): number => [...causes.keys()].filter((key) => key.startsWith(`${name} `)).length
  for (const [of, by] of [
    ['callee', 'call'],
    ['failing', 'call-of-failing'],
    ['after-failure', 'failing'],
  ] as const) {
    if (amount(of) !== amount(by)) faults.push(`${amount(by)} executions of ${by} led to ${amount(of)} of ${of}`)
  }
  return faults
}

/** What a killed server had sent is heard up to so much later here, where the load is made as well; no other server calls anything so soon. */
const hearing_ms = 100

/** Each effect of each execution was called, with the same every time, and again only if the server that held it was killed between the calls. */
const wrongEffects = ({ outside: { calls, kills }, kinds }: Books): string[] => {
  const faults: string[] = []
  for (const [id, kind] of kinds)
    for (const path of kind.effects) if (!calls.has(`${id}:${path}`)) faults.push(`effect ${path} of ${kind.name} ${id} was never called`)
  for (const [key, [first, ...again]] of calls) {
    const [id = '', path = ''] = key.split(':')
    if (kinds.get(id)?.effects.includes(path) !== true) faults.push(`effect ${key} is of no execution that has it`)
    let before = first?.at ?? 0
    for (const { at, body } of again) {
      const is_excused = kills.some((kill) => before <= kill.gone + hearing_ms && kill.at <= at && kill.held?.has(id) !== false)
      if (!is_excused) faults.push(`effect ${key} was called again after ${at - before} ms although no server that held it had died`)
      if (body !== first?.body) faults.push(`effect ${key} was called with ${first?.body} and then with ${body}`)
      before = at
    }
  }
  return faults
}

const wrongDrafts = ({ outside: { drafts }, heard_drafts }: Books): string[] =>
  drafts.filter((id) => !heard_drafts.has(id)).map((id) => `nothing was started by draft ${id}`)

/** No time between the first and the last is left out; that none comes twice is seen from the causes. */
const wrongTicks = ({ ticks }: Books): string[] => {
  const times = ticks.toSorted((a, b) => a - b)
  return times.slice(1).flatMap((time, index) => {
    const passed = time - (times[index] ?? 0)
    return passed <= tick_ms ? [] : [`no execution was started between ${new Date(time - passed).toISOString()} and ${passed} ms later`]
  })
}

/** Of a workflow with a limit, at each begin, who had begun before and not ended. */
const tooManyAtOnce = async (sql: postgres.Sql, { workflows }: Outside): Promise<string[]> => {
  const faults: string[] = []
  for (const { id, kind } of workflows) {
    if (kind.at_once === undefined) continue
    const rows = await sql<{ id: string; line: string; together: number }[]>`
      select e.id, e.line, (
        select count(*)::int
        from executions as other
        where other.workflow_id = e.workflow_id and other.line = e.line
          and other.admitted_at <= e.admitted_at and other.finished_at > e.admitted_at
      ) as together
      from executions as e
      where e.workflow_id = ${id}`
    if (rows.length === 0) faults.push(`nothing of ${kind.name} was started`)
    for (const row of rows)
      if (row.together > kind.at_once) faults.push(`${kind.name} ${row.id} was one of ${row.together} at once of "${row.line}"`)
  }
  return faults
}
