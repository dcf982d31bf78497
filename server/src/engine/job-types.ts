import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { Json } from '../lib/json.ts'
import { defineService } from '../platform/service.ts'
import { type CompiledVersion, compileVersion } from './compile.ts'
import type { Job } from './job.ts'
import { effect, Later, NodeFailure, type NodeIo, type NodeType } from './node.ts'
import { manualTrigger } from './nodes/trigger-manual.ts'

/** A job as the engine executes it: a workflow of one node that no definition can name and no list shows. */
export interface JobType {
  /** In the place of a workflow's id; its version is always 1. */
  readonly id: string
  readonly job: Job
  readonly input: Validator
  readonly version: CompiledVersion
}

export const trigger_node_id = 'start'

/** Stands in the journal for the workspace of what concerns the installation as a whole. */
export const no_workspace = '00000000-0000-0000-0000-000000000000'
export const workspaceOf = (workspace_id: string): string | null => (workspace_id === no_workspace ? null : workspace_id)

/** The jobs that modules offer, by id. */
export const jobTypes = defineService<ReadonlyMap<string, JobType>>({
  name: 'engine.job_types',
  create: (app) => {
    const offered = app.modules.flatMap((module) => (module.jobs ?? []) as readonly Job[])
    const types = offered.map(typeOf)
    const twice = types.find(({ id }, index) => types.findIndex((other) => other.id === id) !== index)
    if (twice) throw new Error(`two jobs are called ${twice.job.name}`)
    return new Map(types.map((type) => [type.id, type]))
  },
})

/** Made from the name, so that every process of every release knows the job by it (UUIDv8, RFC 9562, section 5.8). */
export const idOfJob = (name: string): string => {
  const bytes = createHash('sha256').update(`millrace.job:${name}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** 1 s, 2 s, 4 s, … up to an hour: about ten hours in all. */
const usual_retry = { max_attempts: 20, delay_ms: 1_000, max_delay_ms: 3_600_000 }

const typeOf = (job: Job): JobType => {
  const input = Compile(job.input)
  const node = nodeOf(job, input)
  const { retry = usual_retry, timeout_ms } = job
  const definition = {
    nodes: [
      { id: trigger_node_id, type: manualTrigger.type },
      { id: 'run', type: node.type, retry, ...(timeout_ms === undefined ? {} : { timeout_ms }) },
    ],
    edges: [{ from: trigger_node_id, to: 'run' }],
  }
  const version = compileVersion(definition, new Map([manualTrigger, node].map((type) => [type.type, type])))
  return { id: idOfJob(job.name), job, input, version }
}

const nodeOf = (job: Job, valid: Validator): NodeType =>
  effect({
    type: `job.${job.name}`,
    title: job.name,
    description: job.doc,
    icon: 'settings',
    config: Type.Object({}),
    output: Type.Unknown(),
    run: async ({ input }, io) => ({ output: await attempt(job, valid, input, io) }),
  })

const attempt = async (job: Job, valid: Validator, input: Json, io: NodeIo): Promise<Json> => {
  // It may have been started by another release.
  if (!valid.Check(input)) throw new NodeFailure({ code: 'job.input_invalid', message: `This is no input of ${job.name}` })
  const { execution_id, attempt: number, signal } = io
  const ctx = contextOf(job, io)
  try {
    return await job.run(ctx, { input, execution_id, attempt: number, signal })
  } catch (error) {
    if (error instanceof Later || error instanceof NodeFailure) throw error
    if (!signal.aborted) ctx.log.warn({ err: error, attempt: number }, 'a job failed; it is tried again while attempts are left')
    throw new NodeFailure({ code: 'job.failed', message: 'The job failed; the log of the server says why', retryable: true })
  }
}

const contextOf = ({ name }: Job, { app, workspace_id, execution_id, signal }: NodeIo) =>
  app.context({
    actor: { type: 'system', reason: `the job ${name}` },
    workspace_id: workspaceOf(workspace_id),
    request_id: execution_id,
    log: app.log.child({ job: name, execution_id }),
    signal,
  })
