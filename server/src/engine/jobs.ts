import type { Static, TSchema } from 'typebox'
import type { Json } from '../lib/json.ts'
import type { Ctx } from '../platform/context.ts'
import { defineService } from '../platform/service.ts'
import type { ExecutionStatus, StartExecution } from './contract.ts'
import { engine } from './engine.ts'
import { idOfJob, jobTypes, no_workspace, trigger_node_id } from './job-types.ts'
import type { Job } from './job.ts'
import { lastRecord } from './read-records.ts'

export interface StartJob<Input extends TSchema> {
  readonly job: Job<Input>
  /** Whose work it is; null for what concerns the installation as a whole. */
  readonly workspace_id: string | null
  readonly input: Static<Input>
}

export interface Jobs {
  /**
   * Starts a job; resolves once a crash cannot lose it. It is no part of a transaction: to start one if and only if something commits, emit an
   * event there and start it in a durable consumer, which may do so twice. Throws what `engine.start` throws.
   */
  readonly start: <Input extends TSchema>(input: StartJob<Input>) => Promise<{ readonly execution_id: string }>
}

export const jobs = defineService<Jobs>({
  name: 'engine.jobs',
  create: (app) => ({
    start: async ({ job, workspace_id, input }) => {
      const type = app.use(jobTypes).get(idOfJob(job.name))
      if (type === undefined) throw new Error(`No module offers the job ${job.name}`)
      if (!type.input.Check(input)) throw new Error(`This is no input of the job ${job.name}`)
      const { execution_id, accepted } = await app.use(engine).start(startOf(type.id, workspace_id, input))
      await accepted
      return { execution_id }
    },
  }),
})

const startOf = (id: string, workspace_id: string | null, payload: Json): StartExecution => ({
  workspace_id: workspace_id ?? no_workspace,
  workflow_id: id,
  version: 1,
  mode: 'job',
  trigger_node_id,
  payload,
})

/** How far a job is. */
export interface JobState {
  readonly status: ExecutionStatus
  /** What `run` answered; null until it has. */
  readonly output: Json
  /** Why it failed for good: `job.failed`, or the code of what it threw. */
  readonly error: { readonly code: string; readonly message: string } | null
  readonly started_at: string
  readonly finished_at: string | null
}

/** A job of the caller's workspace, for a feature that handed its execution id out; undefined when there is none. Lists show no jobs. */
export const jobState = async (ctx: Ctx, job: Job, execution_id: string): Promise<JobState | undefined> => {
  const row = await ctx.db
    .selectFrom('executions')
    .select(['status', 'error', 'started_at', 'finished_at'])
    .where('id', '=', execution_id)
    .where('mode', '=', 'job')
    .where('workflow_id', '=', idOfJob(job.name))
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { status, started_at, finished_at } = row
  const error = row.error as { code: string; message: string } | null
  const output = status === 'succeeded' ? await outputOf(ctx, execution_id) : null
  return { status, output, error: error === null ? null : { code: error.code, message: error.message }, started_at, finished_at }
}

/** Read after the status, never beside it: what says that it has succeeded came with the record that says what it gave. */
const outputOf = async (ctx: Ctx, execution_id: string): Promise<Json> =>
  (await lastRecord(ctx, execution_id))?.body.steps.at(-1)?.output ?? null
