import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import postgres from 'postgres'
import { firstId } from '../../server/src/lib/id.ts'
import { fillHistory } from '../../server/src/modules/workflows/history/fill.testing.ts'
import { type Account, signUp } from '../account.ts'
import { type Bench, type Facts, type Line, median, round } from '../bench.ts'
import type { DatabaseAddress } from '../ceilings/serve.ts'
import { type AccountedRun, figuresOf, runAccounted } from '../load/accounted.ts'
import type { LoadRequest } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf } from '../load/load.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'
import { type ServerProcess, startServer } from '../server.ts'
import { ordersTo, publish, reconcile } from './webhook.ts'

const kept = 1_000_000
const days = 28
const clients = 64
const readers = 2
const warm_up_s = 3
const target = { of_the_rate_when_empty: 0.9, page_p99_ms: 20 }

interface Subject {
  readonly server: ServerProcess
  readonly account: Account
  readonly workflow_id: string
  readonly path: string
}

const start = async (directory: string): Promise<Subject> => {
  const server = await startServer({ directory, profile_dir: null })
  const account = await signUp(server.port, 0)
  return { server, account, ...(await publish(account)) }
}

/** A million that ended in the last weeks, one in fifty of which failed, of a workflow beside the one that is called; with the events that told of it. */
const fill = async (database: DatabaseAddress, workspace_id: string, workflow_id: string, now: number): Promise<void> => {
  const sql = postgres({ ...database, max: 1 })
  try {
    const began = now - days * 86_400_000
    await sql`select millrace.make_partitions(${new Date(began).toISOString()}, ${days / 7 + 1})`
    const parts = 20
    for (let part = 0; part < parts; part += 1) {
      const at = (of: number): number => began + Math.floor((of * (now - 3_600_000 - began)) / parts)
      await fillHistory(sql, { workflow_id, workspace_id, count: kept / parts, from: at(part), to: at(part + 1), failed_each: 50 })
    }
    await sql`
      insert into events (workspace_id, name, actor_type, data, created_at)
      select workspace_id, 'workflows.execution.' || status, 'system',
        json_build_object('execution_id', id, 'workflow_id', workflow_id, 'version', version, 'mode', mode,
          'duration_ms', (extract(epoch from finished_at - started_at) * 1000)::int, 'error', null),
        finished_at
      from executions
      where workflow_id = ${workflow_id}`
    await sql`vacuum analyze executions`
    await sql`vacuum analyze execution_records`
    await sql`vacuum analyze events`
    await sql`checkpoint`
  } finally {
    await sql.end()
  }
}

const get = (account: Account, path: string): LoadRequest => ({
  method: 'GET',
  path: `/api/v1${path}`,
  headers: { authorization: `Bearer ${account.token}` },
  body: null,
  expect: { status: 200, body: null },
})

/** Pages anywhere in the history. */
const pagesOf = (account: Account, path: string, now: number): readonly LoadRequest[] =>
  Array.from({ length: 64 }, (_, number) => {
    const id = firstId(now - Math.floor(((number + 1) * days * 86_400_000) / 66))
    return get(account, `${path}cursor=${Buffer.from(JSON.stringify(id)).toString('base64url')}`)
  })

/** Waits until all that were filled in are counted. */
const counted = async (account: Account, workflow_id: string): Promise<void> => {
  for (let tries = 0; tries < 300; tries += 1) {
    const { executions } = await account.call<{ executions: number }>('GET', `/workflows/${workflow_id}/statistics?bucket=day`)
    if (executions === kept) return
    await pause(1_000)
  }
  throw new Error('the executions were not counted within five minutes')
}

type Measure = (subject: Subject, requests: readonly LoadRequest[], count: number) => Promise<Runs<AccountedRun>>

const line = (
  conditions: Facts,
  runs: readonly Runs<AccountedRun>[],
  rest: Pick<Line, 'ceiling' | 'ratio' | 'target'> & { met: boolean | null },
  faults: readonly string[] = [],
): Line => {
  const ours = median(
    runs.map(({ chosen }) => chosen),
    (run) => run.p99_ms,
  )
  const complaints = [...runs.flatMap(({ all }) => all.flatMap(complaintsOf)), ...faults]
  return {
    figure: 'history',
    conditions,
    measured: figuresOf(ours),
    ...rest,
    met: rest.met === null ? null : rest.met && complaints.length === 0,
    complaints,
  }
}

const rateLine = async (full: Subject, empty: Subject, measure: Measure, turns: number, conditions: Facts): Promise<Line> => {
  const rounds: { readonly empty: Runs<AccountedRun>; readonly full: Runs<AccountedRun> }[] = []
  for (let turn = 0; turn < turns; turn += 1)
    rounds.push({ empty: await measure(empty, ordersTo(empty.path), clients), full: await measure(full, ordersTo(full.path), clients) })
  const rate = (of: 'empty' | 'full') =>
    median(
      rounds.map((one) => one[of].chosen),
      (run) => run.requests_per_s,
    )
  const ratio = round(rate('full').requests_per_s / Math.max(1, rate('empty').requests_per_s))
  const faults: string[] = []
  for (const [subject, of] of [
    [full, 'full'],
    [empty, 'empty'],
  ] as const) {
    const replies = rounds.flatMap((one) => one[of].all).reduce((sum, run) => sum + (run.statuses['200'] ?? 0), 0)
    faults.push(...(await reconcile(subject.server.database, subject.workflow_id, replies)))
  }
  const complaints = [...rounds.flatMap((one) => [...one.empty.all, ...one.full.all].flatMap(complaintsOf)), ...faults]
  return {
    ...{ figure: 'history', conditions: { ...conditions, what: 'webhooks', clients, kept } },
    ...{ measured: figuresOf(rate('full')), ceiling: figuresOf(rate('empty')), ratio, complaints },
    target: { of_the_rate_when_empty: target.of_the_rate_when_empty },
    met: ratio >= target.of_the_rate_when_empty && complaints.length === 0,
  }
}

export const history: Bench = {
  name: 'history',
  summary: 'webhooks with a million finished executions kept, beside a server that keeps none; pages of the history, and statistics',
  run: ({ seconds, rounds: turns }, report) =>
    withDirectory(async (directory) => {
      const empty = await start(join(directory, 'empty'))
      const full = await start(join(directory, 'full'))
      try {
        const now = Date.now()
        const { workspace_id } = await full.account.call<{ workspace_id: string }>('GET', '/auth/me')
        const { workflow_id } = await publish(full.account, 'kept')
        await fill(full.server.database, workspace_id, workflow_id, now)
        await counted(full.account, workflow_id)
        const measure: Measure = ({ server: { port, pid } }, requests, count) =>
          undisturbed(() =>
            runAccounted(
              { pid, database_below: pid },
              { ...asFastAsRepliesCome, port, clients: count, requests, warm_up_s, measured_s: seconds },
            ),
          )
        const conditions = { seconds, rounds: turns, fsync: true }
        report(await rateLine(full, empty, measure, turns, conditions))
        const reads: readonly (readonly [string, string])[] = [
          ['a page of all', '/workflows/executions?'],
          ['a page of a workflow', `/workflows/${workflow_id}/executions?`],
          ['a page of those that failed', '/workflows/executions?status=failed&'],
          ['a page by the text of the error', '/workflows/executions?error=ANSWERED%20503&'],
          ['a page that finds nothing', '/workflows/executions?trigger=form&'],
        ]
        for (const [what, path] of reads) {
          const ours: Runs<AccountedRun>[] = []
          for (let turn = 0; turn < turns; turn += 1) ours.push(await measure(full, pagesOf(full.account, path, now), readers))
          const p99_ms = median(
            ours.map(({ chosen }) => chosen),
            (run) => run.p99_ms,
          ).p99_ms
          const bare = (await measure(empty, [get(empty.account, path.replace(workflow_id, empty.workflow_id))], readers)).chosen
          report(
            line({ ...conditions, what, clients: readers, kept }, ours, {
              ...{ ceiling: figuresOf(bare), ratio: null, target: { p99_ms: target.page_p99_ms } },
              met: p99_ms <= target.page_p99_ms,
            }),
          )
        }
        const statistics = await measure(full, [get(full.account, `/workflows/${workflow_id}/statistics?bucket=day`)], readers)
        report(
          line({ ...conditions, what: 'statistics', clients: readers, kept }, [statistics], {
            ceiling: null,
            ratio: null,
            target: null,
            met: null,
          }),
        )
      } finally {
        await full.server.stop()
        await empty.server.stop()
      }
    }),
}
