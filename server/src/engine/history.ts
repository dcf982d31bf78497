import { type Static, Type } from 'typebox'
import { jsonSize } from '../lib/json-size.ts'
import { isJsonObject, type Json } from '../lib/json.ts'
import type { Ctx } from '../platform/context.ts'
import type { ReadDb } from '../platform/database/open.ts'
import type { ExecutionStatus } from './contract.ts'
import type { Definition } from './graph/definition.ts'
import type { Step } from './graph/plan.ts'
import type { RecordBody } from './journal/record.ts'
import { Queue, queueOf } from './lines/queue-view.ts'
import { isUnreadable, wholeBody } from './journal/large-records.ts'
import { firstRecord, type JournalSource, lastRecord, outputOf, recordsOf } from './read-records.ts'
import type { Draft, Dry } from './rehearsal/draft.ts'

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])
const Time = Type.String({ format: 'date-time' })

export const executionStatuses: readonly ExecutionStatus[] = [
  'queued',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'cancelled',
  'timed_out',
]
const Status = Type.Unsafe<ExecutionStatus>({ type: 'string', enum: [...executionStatuses] })

const Failure = Type.Object({
  code: Type.String(),
  message: Type.String(),
  details: Nullable(Type.Record(Type.String(), Type.Unknown())),
})

/** A step as the API shows it: one attempt of one node. */
export const StepView = Type.Object({
  id: Type.String({ description: '`<execution>:<path>:<attempt>`' }),
  node_id: Type.String(),
  path: Type.String({ description: 'The node, with loop indices where it stands in a loop.' }),
  attempt: Type.Integer(),
  status: Type.Union([Type.Literal('succeeded'), Type.Literal('failed'), Type.Literal('retrying')]),
  input: Type.Optional(Type.Unknown({ description: 'Left out, as the output is, where the reply would become too large.' })),
  output: Type.Optional(Type.Unknown()),
  error: Type.Optional(Nullable(Failure)),
  dry: Type.Optional(
    Type.Object(
      { type: Type.String(), config: Type.Unknown({ description: 'Evaluated; what may be a credential is masked.' }) },
      { description: 'Of a dry run: the step was not done, and this would have been.' },
    ),
  ),
  copied: Type.Optional(Type.Literal(true, { description: 'It was done by the execution from which this one was forked.' })),
  started_at: Time,
  finished_at: Time,
  duration_ms: Type.Integer(),
})
export type StepView = Static<typeof StepView>

const fields = {
  id: Type.String({ format: 'uuid' }),
  workflow_id: Type.String({ format: 'uuid' }),
  version: Type.Integer({ description: '0 where the draft was run for a test.' }),
  status: Status,
  mode: Type.Union([Type.Literal('live'), Type.Literal('test')]),
  trigger: Type.Object({ type: Type.String(), node_id: Type.String() }),
  error: Nullable(Type.Object({ ...Failure.properties, node_id: Nullable(Type.String()) })),
  started_at: Time,
  finished_at: Nullable(Time),
  duration_ms: Nullable(Type.Integer()),
  paused_at: Nullable(
    Type.String({ format: 'date-time', description: 'Somebody has paused it. It is `waiting` once what was in flight has come back.' }),
  ),
  dismissed_at: Nullable(Type.String({ format: 'date-time', description: 'It failed, and somebody has said that nothing is to be done.' })),
}

/** A line of a list of executions. */
export const ExecutionSummary = Type.Object(fields)
export type ExecutionSummary = Static<typeof ExecutionSummary>

export const ExecutionView = Type.Object({
  ...fields,
  test: Type.Optional(
    Type.Object(
      {
        dry_run: Type.Boolean(),
        until_node: Nullable(Type.String()),
        pinned: Type.Array(Type.String(), { description: 'Nodes that gave what was pinned to them.' }),
      },
      { description: 'Of a run of the draft: how it was run.' },
    ),
  ),
  parent_execution_id: Nullable(Type.String({ format: 'uuid', description: 'The execution that has called this one.' })),
  forked_from: Nullable(
    Type.Object(
      { execution_id: Type.String({ format: 'uuid' }), node_id: Nullable(Type.String()) },
      { description: 'The execution whose steps this one has taken over, and where it goes on; `node_id` null: from the start.' },
    ),
  ),
  input: Type.Unknown({ description: "The trigger's payload." }),
  output: Type.Unknown({ description: 'Output of the step that finished last; null until the execution has succeeded.' }),
  queue: Nullable(Queue),
  steps: Type.Array(StepView),
  next_record: Nullable(
    Type.Integer({
      description: 'There are more steps: give it as `from_record` to read on. Turns of a loop that only compute are no steps.',
    }),
  ),
})
export type ExecutionView = Static<typeof ExecutionView>

/** Of a row that `summaryOf` reads. */
export const columns = [
  'id',
  'workflow_id',
  'version',
  'status',
  'mode',
  'trigger_type',
  'trigger_node_id',
  'error',
  'started_at',
  'finished_at',
  'paused_at',
  'dismissed_at',
] as const

export interface ReadOptions {
  /** With the inputs and outputs of the steps. */
  readonly payloads: boolean
  /** The record from which steps are listed; from the first when not given. */
  readonly from_record?: number | undefined
}

/** One execution with a page of its steps; `records`: how many there are. Undefined when the caller's workspace has none of this id. */
export const readExecution = async (
  source: JournalSource,
  id: string,
  options: ReadOptions,
): Promise<(ExecutionView & { readonly records: number }) | undefined> => {
  const { db } = source
  const [row, first, latest] = await Promise.all([selectOne(db, id), firstRecord(source, id), lastRecord(source, id)])
  if (row === undefined) return undefined
  // Read beside the row, the last record may be one from before the end that the row tells of.
  const final = row.finished_at !== null && latest?.body.ending === undefined ? await lastRecord(source, id) : latest
  const payload = first?.body.trigger?.payload ?? null
  const { steps, next_record } = await stepsFrom(source, id, options.from_record ?? 0)
  const draft = first?.body.draft
  const payloads = options.payloads ? payloadsOf(steps, await inputsOfSteps(db, row, { payload, draft }, steps)) : null
  return {
    ...summaryOf(row),
    ...(draft === undefined ? {} : { test: { dry_run: draft.dry_run, until_node: draft.until_node, pinned: Object.keys(draft.pins) } }),
    parent_execution_id: row.parent_execution_id,
    forked_from: row.from_execution_id === null ? null : { execution_id: row.from_execution_id, node_id: row.fork_node_id },
    input: payload,
    queue: row.status === 'queued' ? await queueOf(db, id) : null,
    output: row.status === 'succeeded' && final !== undefined ? await outputOf(source, id, final) : null,
    steps: steps.map((step, index) => stepOf(id, step, payloads?.[index] ?? {})),
    next_record,
    records: (final?.seq ?? -1) + 1,
  }
}

/** Steps of one reply, about: a record is listed as a whole. */
const most_steps = 1_000
/** And so much of a journal, in batches: what steps gave may be large. */
const most_batches = 12

const stepsFrom = async (
  source: JournalSource,
  id: string,
  from: number,
): Promise<{ readonly steps: readonly Step[]; readonly next_record: number | null }> => {
  const steps: Step[] = []
  let read = 0
  for (let next = from; ;) {
    const { rows, more } = await recordsOf(source, id, next)
    for (const { seq, body } of rows) {
      if (steps.length >= most_steps) return { steps, next_record: seq }
      for (const step of body.steps) steps.push(step)
      next = seq + 1
    }
    if (!more) return { steps, next_record: null }
    read += 1
    if (read >= most_batches) return { steps, next_record: next }
  }
}

const selectOne = (db: ReadDb, id: string) =>
  db
    .selectFrom('executions')
    .leftJoin('engine_calls', 'engine_calls.execution_id', 'executions.id')
    .select(columns.map((column) => `executions.${column}` as const))
    .leftJoin('engine_forks', 'engine_forks.execution_id', 'executions.id')
    .select('engine_calls.parent_execution_id')
    .select(['engine_forks.from_execution_id', 'engine_forks.node_id as fork_node_id'])
    .where('executions.id', '=', id)
    .where('mode', '<>', 'job')
    .executeTakeFirst()

type Row = { readonly [Column in (typeof columns)[number]]: unknown }

export const summaryOf = (row: Row): ExecutionSummary => {
  const { trigger_type, trigger_node_id, ...rest } = row as Omit<ExecutionSummary, 'trigger'> & {
    trigger_type: string
    trigger_node_id: string
  }
  const { started_at, finished_at } = rest
  const duration_ms = finished_at === null ? null : Math.max(0, Date.parse(finished_at) - Date.parse(started_at))
  return {
    ...rest,
    paused_at: finished_at === null ? rest.paused_at : null,
    trigger: { type: trigger_type, node_id: trigger_node_id },
    duration_ms,
  }
}

interface Payloads {
  readonly input?: Json
  readonly output?: Json
}

/** Characters of the inputs and outputs in one reply. One output is the input of as many steps as come after it. */
const most_chars = 16 * 1024 * 1024

/** Input and output of each step, as far as there is room. */
const payloadsOf = (steps: readonly Step[], inputs: ReadonlyMap<string, Json>): readonly Payloads[] => {
  let room = most_chars
  return steps.map((step) => {
    const payloads = { input: inputs.get(pathOf(step)) ?? null, output: step.output }
    const size = jsonSize(payloads, room)
    if (size === null) return {}
    room -= size
    return payloads
  })
}

const stepOf = (execution_id: string, step: Step, payloads: Payloads): StepView => ({
  id: `${execution_id}:${step.path ?? step.node_id}:${step.attempt}`,
  node_id: step.node_id,
  path: step.path ?? step.node_id,
  attempt: step.attempt,
  status: step.retry_at === null ? step.status : 'retrying',
  ...payloads,
  error: step.error,
  ...(step.dry === undefined ? {} : { dry: step.dry as unknown as Dry }),
  ...(step.copied === true ? { copied: true } : {}),
  started_at: new Date(step.started_at).toISOString(),
  finished_at: new Date(step.finished_at).toISOString(),
  duration_ms: step.finished_at - step.started_at,
})

/** What each node ran on: the output of the one live node before it, or those of all by node id. Read off the version's edges. */
const inputsOfSteps = async (
  db: ReadDb,
  row: Row,
  { payload, draft }: { readonly payload: Json; readonly draft: Draft | undefined },
  steps: readonly Step[],
): Promise<ReadonlyMap<string, Json>> => {
  const edges = allEdges(draft?.definition ?? (await deployedOf(db, row)))
  const left = new Map<string, { ports: readonly string[]; output: Json }>([
    [row.trigger_node_id as string, { ports: ['out'], output: payload }],
  ])
  for (const step of steps)
    if (step.retry_at === null && step.port !== null) left.set(pathOf(step), { ports: step.ports ?? [step.port], output: step.output })
  const byNode = Map.groupBy(edges, (edge) => edge.to)
  const inputs = new Map<string, Json>()
  for (const step of steps) {
    const path = pathOf(step)
    const around = path.slice(0, path.length - step.node_id.length)
    const live = (byNode.get(step.node_id) ?? []).filter(
      (edge) => left.get(around + edge.from)?.ports.includes(edge.port ?? 'out') === true,
    )
    const values = Object.fromEntries(live.map((edge) => [edge.from, left.get(around + edge.from)?.output ?? null]))
    const [only] = Object.values(values)
    inputs.set(path, Object.keys(values).length === 1 ? (only ?? null) : values)
  }
  return inputs
}

const deployedOf = async (db: ReadDb, row: Row): Promise<Pick<Definition, 'nodes' | 'edges'>> => {
  const version = await db
    .selectFrom('engine_versions')
    .select('definition')
    .where('workflow_id', '=', row.workflow_id as string)
    .where('version', '=', row.version as number)
    .executeTakeFirst()
  return (version?.definition ?? { nodes: [], edges: [] }) as unknown as Pick<Definition, 'nodes' | 'edges'>
}

/** What executions began with, in the system's scope, by their ids; null of one whose beginning cannot be read any more. */
export const beginningsOf = async (
  source: JournalSource & Pick<Ctx, 'log'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Json>> => {
  if (ids.length === 0) return new Map()
  const rows = await source.db
    .selectFrom('execution_records')
    .select(['execution_id', 'body'])
    .where('execution_id', 'in', ids)
    .where('seq', '=', 0)
    .execute()
  const payloads = new Map<string, Json>()
  for (const { execution_id, body } of rows) {
    try {
      const { trigger } = await wholeBody(source, execution_id, 0, body as unknown as RecordBody)
      payloads.set(execution_id, trigger?.payload ?? null)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      source.log.warn({ err: error, execution_id }, 'what an execution began with cannot be read')
      payloads.set(execution_id, null)
    }
  }
  return payloads
}

const pathOf = (step: Step): string => step.path ?? step.node_id

/** Those of bodies too: ids are unique in the whole definition. */
const allEdges = ({ nodes, edges }: Pick<Definition, 'nodes' | 'edges'>): Definition['edges'] => [
  ...edges,
  ...nodes.flatMap(({ config }) => {
    const body = config?.['body']
    const within = isJsonObject(body) && Array.isArray(body['nodes']) && Array.isArray(body['edges'])
    return within ? allEdges(body as unknown as Pick<Definition, 'nodes' | 'edges'>) : []
  }),
]
