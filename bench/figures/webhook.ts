import { join } from 'node:path'
import postgres from 'postgres'
import { type Account, signUp } from '../account.ts'
import { type Bench, type Line, median, round } from '../bench.ts'
import { startCeiling } from '../ceilings/ceiling.ts'
import type { DatabaseAddress } from '../ceilings/serve.ts'
import { clearCeiling, withCeilingDatabase } from '../database.ts'
import { type AccountedRun, figuresOf, runAccounted } from '../load/accounted.ts'
import type { LoadRequest } from '../load/contract.ts'
import { asFastAsRepliesCome, complaintsOf } from '../load/load.ts'
import { withDirectory } from '../place.ts'
import { type Runs, undisturbed } from '../quiet.ts'
import { startServer } from '../server.ts'

const clients = [16, 64, 250]
const warm_up_s = 3
const target = { at_clients: 64, requests_per_s: 8_000, p99_ms: 25 }

const definitionAt = (path: string) => ({
  nodes: [
    { id: 'order', type: 'trigger.webhook', config: { path, method: 'POST', respond: 'last_node' } },
    {
      id: 'answer',
      type: 'data.set',
      config: { values: { total: '{{ trigger.body.price * trigger.body.quantity }}', greeting: 'Hello {{ trigger.body.name }}' } },
    },
  ],
  edges: [{ from: 'order', to: 'answer' }],
})

/** Orders that differ, each with the one right reply. */
export const ordersTo = (path: string): readonly LoadRequest[] =>
  Array.from({ length: 256 }, (_, number) => {
    const order = { name: `customer ${number}`, price: 3 + number, quantity: 1 + (number % 7) }
    const reply = { total: order.price * order.quantity, greeting: `Hello ${order.name}` }
    return {
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
      expect: { status: 200, body: JSON.stringify(reply) },
    }
  })

export const publish = async (account: Account, path = 'orders'): Promise<{ readonly workflow_id: string; readonly path: string }> => {
  const { id } = await account.call<{ id: string }>('POST', '/workflows', { name: path, definition: definitionAt(path) })
  const { triggers } = await account.call<{ triggers: readonly { url: string }[] }>('POST', `/workflows/${id}/publish`, {})
  const [trigger] = triggers
  if (trigger === undefined) throw new Error('the workflow was published without a trigger')
  return { workflow_id: id, path: new URL(trigger.url).pathname }
}

/** Every 200 that a client got is one execution that has succeeded, with a whole journal; and there are no others. */
export const reconcile = async (database: DatabaseAddress, workflow_id: string, replies: number): Promise<readonly string[]> => {
  const sql = postgres({ ...database, max: 1 })
  try {
    const [stored] = await sql<{ executions: number; succeeded: number; journals: number }[]>`
      select
        count(*)::int as executions,
        count(*) filter (where e.status = 'succeeded' and e.finished_at is not null)::int as succeeded,
        count(*) filter (where r.body ->> 'ending' is not null and json_array_length(r.body -> 'steps') = 1)::int as journals
      from executions as e
      left join execution_records as r on r.execution_id = e.id and r.seq = 0
      where e.workflow_id = ${workflow_id}`
    const found = JSON.stringify(stored)
    const wanted = JSON.stringify({ executions: replies, succeeded: replies, journals: replies })
    return found === wanted ? [] : [`${replies} replies of 200, and the database holds ${found}`]
  } finally {
    await sql.end()
  }
}

interface Round {
  readonly bare: Runs<AccountedRun>
  readonly ours: Runs<AccountedRun>
}

const lineOf = (count: number, rounds: readonly Round[], seconds: number, faults: readonly string[]): Line => {
  const bare = median(
    rounds.map((one) => one.bare.chosen),
    (run) => run.requests_per_s,
  )
  const ours = median(
    rounds.map((one) => one.ours.chosen),
    (run) => run.requests_per_s,
  )
  const complaints = [...rounds.flatMap((one) => [...one.bare.all, ...one.ours.all].flatMap(complaintsOf)), ...faults]
  const judged = count === target.at_clients
  return {
    figure: 'webhook',
    conditions: { clients: count, seconds, rounds: rounds.length, fsync: true },
    measured: figuresOf(ours),
    ceiling: figuresOf(bare),
    ratio: round(ours.requests_per_s / Math.max(1, bare.requests_per_s)),
    target: judged ? { requests_per_s: target.requests_per_s, p99_ms: target.p99_ms } : null,
    met: judged ? ours.requests_per_s >= target.requests_per_s && ours.p99_ms <= target.p99_ms && complaints.length === 0 : null,
    complaints,
  }
}

export const webhook: Bench = {
  name: 'webhook',
  summary: 'synchronous webhook → data.set with two expressions → reply, over HTTP, each run durable before its reply',
  run: ({ seconds, rounds: turns, profile_dir }, report) =>
    withDirectory(async (directory) => {
      const server = await startServer({ directory: join(directory, 'server'), profile_dir })
      try {
        const { workflow_id, path } = await publish(await signUp(server.port, 0))
        await withCeilingDatabase(server.database, async (database) => {
          const bare = await startCeiling('webhook', database)
          const measure = (
            { port, pid }: { port: number; pid: number },
            requests: readonly LoadRequest[],
            count: number,
          ): Promise<Runs<AccountedRun>> =>
            undisturbed(() =>
              runAccounted(
                { pid, database_below: server.pid },
                { ...asFastAsRepliesCome, port, clients: count, requests, warm_up_s, measured_s: seconds },
              ),
            )
          let replies = 0
          for (const count of clients) {
            const rounds: Round[] = []
            for (let turn = 0; turn < turns; turn++) {
              const ceiling = await measure(bare, ordersTo('/orders'), count)
              await clearCeiling(database)
              rounds.push({ bare: ceiling, ours: await measure(server, ordersTo(path), count) })
            }
            for (const run of rounds.flatMap((one) => one.ours.all)) replies += run.statuses['200'] ?? 0
            report(lineOf(count, rounds, seconds, await reconcile(server.database, workflow_id, replies)))
          }
          await bare.stop()
        })
      } finally {
        await server.stop()
      }
    }),
}
