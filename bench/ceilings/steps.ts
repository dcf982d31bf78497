import postgres from 'postgres'
import { idSource } from '../../server/src/lib/id.ts'
import { histogram } from '../load/histogram.ts'
import { eachUs, spending } from '../machine.ts'
import { createRecords, groupCommit } from './group-commit.ts'
import type { DatabaseAddress } from './serve.ts'

/** What executions of 3 effect steps leave behind: their start and each result. */
const records_each = 4

export interface BareJournal {
  readonly executions_per_s: number
  readonly commit_p50_ms: number
  /** CPU for each execution. */
  readonly journal_us: number
  readonly database_us: number
  readonly foreign_cpu: number
}

/** On the PostgreSQL that is below this process: `at_once` executions by turns, each of which waits for one record to be durable before it writes the next. No engine. */
export const runBareJournal = async (database: DatabaseAddress, at_once: number, seconds: number): Promise<BareJournal> => {
  const sql = postgres({ ...database, max: 2, onnotice: () => {} })
  await createRecords(sql)
  const commit = groupCommit(sql)
  const newId = idSource(Date.now)
  const latency = histogram()
  const end = performance.now() + seconds * 1000
  let executions = 0
  let all = 0
  const execute = async (): Promise<void> => {
    while (performance.now() < end) {
      const id = newId()
      for (let seq = 0; seq < records_each; seq++) {
        const since = performance.now()
        await commit({ id, seq, body: JSON.stringify({ at: Date.now(), steps: [{ node_id: `step_${seq}`, output: { n: seq } }] }) })
        latency.record((performance.now() - since) * 1000)
      }
      all += 1
      if (performance.now() < end) executions += 1
    }
  }
  const { own_s, database_s, foreign_cpu } = await spending({ pid: process.pid, database_below: process.pid }, async () => {
    await Promise.all(Array.from({ length: at_once }, execute))
    return { elsewhere_s: 0 }
  })
  await sql.end()
  return {
    executions_per_s: Math.round(executions / seconds),
    commit_p50_ms: latency.quantile_us(0.5) / 1000,
    journal_us: eachUs(own_s, all),
    database_us: eachUs(database_s, all),
    foreign_cpu,
  }
}
