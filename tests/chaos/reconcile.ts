import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import type { Acknowledged } from './chaos.ts'

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

/** A kill of the server, Unix milliseconds: when it was sent, and when the process had gone. */
export interface Kill {
  readonly at: number
  readonly gone: number
}

interface Execution {
  readonly id: string
  readonly status: string
  readonly finished_at: string | null
}

interface RecordRow {
  readonly execution_id: string
  readonly seq: number
  readonly body: {
    readonly trigger?: { readonly payload: { readonly body: { readonly n: number } } }
    readonly steps: readonly { readonly node_id: string; readonly attempt: number; readonly status: string; readonly output: unknown }[]
    readonly ending?: { readonly status: string }
  }
}

const steps_of = { effects: ['both', 'last', 'left', 'result', 'right'], pure: ['result'] }
const effects_of = { effects: ['left', 'right', 'last'], pure: [] as readonly string[] }

/** Waits until every execution has ended, then holds the database against what the outside saw. */
export const reconcile = async (input: {
  readonly database: { readonly host: string; readonly port: number }
  readonly acknowledged: readonly Acknowledged[]
  readonly calls: ReadonlyMap<string, readonly number[]>
  readonly server_kills: readonly Kill[]
  readonly log: (line: string) => void
}): Promise<Report> => {
  const sql = postgres({ ...input.database, user: 'millrace', database: 'millrace', max: 1 })
  try {
    await untilAllEnded(sql)
    const executions = await sql<Execution[]>`select id, status, finished_at from executions`
    const records = await sql<RecordRow[]>`select execution_id, seq, body from execution_records order by execution_id, seq`
    const events = await sql<{ execution_id: string; times: number }[]>`
      select data ->> 'execution_id' as execution_id, count(*)::int as times
      from events
      where name like 'workflows.execution.%'
      group by 1`
    const faults = [
      ...lostStarts(input.acknowledged, executions),
      ...tornJournals(executions, records),
      ...wrongEvents(executions, new Map(events.map((event) => [event.execution_id, event.times]))),
      ...wrongEffects(records, input.calls, input.server_kills),
    ]
    return {
      acknowledged: input.acknowledged.length,
      executions: executions.length,
      effects: input.calls.size,
      repeated_effects: [...input.calls.values()].filter((times) => times.length > 1).length,
      kills_of_the_server: input.server_kills.length,
      faults,
    }
  } finally {
    await sql.end()
  }
}

const untilAllEnded = async (sql: postgres.Sql): Promise<void> => {
  const deadline = Date.now() + 60_000
  for (;;) {
    const [row] = await sql<{ open: number }[]>`select count(*)::int as open from executions where finished_at is null`
    if (row?.open === 0) return
    if (Date.now() > deadline) throw new Error(`${row?.open} executions had not ended a minute after the last start`)
    await pause(200)
  }
}

const lostStarts = (acknowledged: readonly Acknowledged[], executions: readonly Execution[]): string[] => {
  const byId = new Map(executions.map((execution) => [execution.id, execution]))
  return acknowledged.flatMap((start) => {
    const found = byId.get(start.execution_id)
    if (found === undefined) return [`execution ${start.execution_id} was acknowledged and is not there`]
    if (found.status !== 'succeeded') return [`execution ${start.execution_id} was acknowledged and ended as ${found.status}`]
    return []
  })
}

/** Each journal is whole: records without a gap, the trigger first, each step settled once and in full, one ending, last. */
const tornJournals = (executions: readonly Execution[], records: readonly RecordRow[]): string[] => {
  const journals = Map.groupBy(records, (record) => record.execution_id)
  const faults = executions.flatMap(({ id, status }) => {
    const journal = journals.get(id) ?? []
    journals.delete(id)
    const steps = journal.flatMap((record) => record.body.steps).filter((step) => step.status === 'succeeded')
    const kind = steps.some((step) => step.node_id === 'both') ? 'effects' : 'pure'
    const names = steps.map((step) => step.node_id).toSorted()
    const n = journal[0]?.body.trigger?.payload.body.n
    const result = steps.find((step) => step.node_id === 'result')?.output as { n?: number } | undefined
    const wrong: string[] = []
    if (journal.some((record, index) => record.seq !== index)) wrong.push('has a gap')
    if (n === undefined) wrong.push('has no beginning')
    if (names.join() !== steps_of[kind].join()) wrong.push(`has the steps ${names.join()}`)
    if (result?.n !== n) wrong.push('has a wrong result')
    if (journal.filter((record) => record.body.ending !== undefined).length !== 1) wrong.push('has not one ending')
    if (journal.at(-1)?.body.ending?.status !== status) wrong.push('does not end as its execution does')
    return wrong.map((what) => `the journal of ${id} ${what}`)
  })
  return [...faults, ...[...journals.keys()].map((id) => `there are records of ${id}, which is no execution`)]
}

const wrongEvents = (executions: readonly Execution[], events: ReadonlyMap<string, number>): string[] =>
  executions
    .filter((execution) => events.get(execution.id) !== 1)
    .map((execution) => `the end of ${execution.id} was told ${events.get(execution.id) ?? 0} times`)

/** What the killed server had sent is heard up to so much later here, where the load is made as well; no new server calls anything so soon. */
const hearing_ms = 100

/** Each effect of each execution was called, and again only if the server was killed between the calls. */
const wrongEffects = (records: readonly RecordRow[], calls: ReadonlyMap<string, readonly number[]>, kills: readonly Kill[]): string[] => {
  const faults: string[] = []
  const journals = Map.groupBy(records, (record) => record.execution_id)
  for (const [id, journal] of journals) {
    const kind = journal.some((record) => record.body.steps.some((step) => step.node_id === 'both')) ? 'effects' : 'pure'
    for (const node of effects_of[kind]) if (!calls.has(`${id}:${node}`)) faults.push(`effect ${node} of ${id} was never called`)
  }
  for (const [key, times] of calls) {
    const [id = ''] = key.split(':')
    if (!journals.has(id)) faults.push(`effect ${key} belongs to no execution`)
    times.slice(1).forEach((time, index) => {
      const before = times[index] ?? 0
      const killed_between = kills.some(({ at, gone }) => before <= gone + hearing_ms && at <= time)
      if (!killed_between) faults.push(`effect ${key} was called again although the server had not died`)
    })
  }
  return faults
}
