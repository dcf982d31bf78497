import type { App } from '../../platform/context.ts'
import { inTurns } from '../../lib/turns.ts'
import type { ScopeFacts } from '../compile.ts'
import { isUnreadable, wholeBody } from '../journal/large-records.ts'
import type { Entry, RecordBody } from '../journal/record.ts'
import type { Claimed } from '../leases/claim.ts'
import type { Versions } from '../versions.ts'
import { finishOf } from './entry.ts'
import { type Held, holdExecution } from './execution.ts'
import { folding } from './fold.ts'
import type { Host, Listener } from './live.ts'
import { variablesFor } from './variables.ts'

/** An execution that was with this many workers when they died is not given to another. */
const most_recoveries = 25

const factsOf = (claimed: Claimed): ScopeFacts => ({
  execution_id: claimed.id,
  workspace_id: claimed.workspace_id,
  workflow_id: claimed.workflow_id,
  version: claimed.version,
  mode: claimed.mode,
  call: claimed.call,
  line: claimed.line,
  started_at: Date.parse(claimed.started_at),
})

/** What an execution that may wait to be called tells besides. */
export const withResume = (host: Pick<Host, 'resumeUrl'>, { waits }: { readonly waits: boolean }, facts: ScopeFacts): ScopeFacts =>
  waits ? { ...facts, resumeUrl: () => host.resumeUrl(facts.execution_id) } : facts

const wholeRecords = async (app: App, { id, records }: Claimed): Promise<Claimed['records']> => {
  const read: Claimed['records'][number][] = []
  for (const { seq, body } of records) read.push({ seq, body: await wholeBody(app, id, seq, body) })
  return read
}

/** Makes an execution live again from its journal, and says how it goes on. */
export const revive = async (input: {
  readonly host: Host
  readonly versions: Versions
  readonly claimed: Claimed
  readonly listener: Listener | null
}): Promise<{ readonly execution: Held; readonly go: 'begin' | 'cancel' | 'pause' }> => {
  const { host, claimed } = input
  const records = await wholeRecords(host.app, claimed)
  const [first] = records
  if (first?.body.trigger === undefined) throw new Error(`the journal of execution ${claimed.id} has no beginning`)
  const version = await input.versions.get(claimed.workflow_id, claimed.version, first.body.draft)
  const kept = records.find(({ body }) => body.vars !== undefined)?.body.vars
  const vars_due = kept === undefined ? await variablesFor(host.app, claimed.workspace_id, version) : null
  const vars = kept ?? vars_due
  const facts = withResume(host, version, { ...factsOf(claimed), ...(vars === null ? {} : { vars }) })
  const { run, scope } = await inTurns(
    folding({ version, facts, trigger: first.body.trigger, records: records.map((record) => record.body) }),
  )
  const execution = holdExecution({
    host,
    facts,
    version,
    run,
    scope,
    next_seq: (records.at(-1)?.seq ?? 0) + 1,
    accept: null,
    vars_due,
    listener: input.listener,
  })
  const poisonous = claimed.recoveries > most_recoveries
  if (poisonous) host.app.log.error({ execution_id: claimed.id }, 'every worker that took this execution died: it is cancelled')
  return { execution, go: claimed.cancel_requested || poisonous ? 'cancel' : claimed.paused ? 'pause' : 'begin' }
}

/** The entry that ends an execution which no process can go on with: its version or its journal is damaged, or a large record cannot be read. */
export const giveUp = (app: App, claimed: Claimed, cause: unknown): Entry => {
  app.log.error({ err: cause, execution_id: claimed.id }, 'an execution cannot be taken up and is failed')
  const at = app.now()
  const code = isUnreadable(cause) ? cause.code : 'engine.unrecoverable'
  const message = isUnreadable(cause)
    ? `The execution could not be taken up again: ${cause.message}`
    : 'The execution could not be taken up again'
  const error = { code, message, details: null, node_id: null }
  const body: RecordBody = { at, steps: [], ending: { status: 'failed', error } }
  return {
    execution_id: claimed.id,
    workspace_id: claimed.workspace_id,
    seq: (claimed.records.at(-1)?.seq ?? -1) + 1,
    body: JSON.stringify(body),
    accept: null,
    finish: finishOf(app, factsOf(claimed), { status: 'failed', output: null, error }, at),
    wake_at: null,
  }
}
