import type { Json, JsonObject } from '../lib/json.ts'
import type { Ctx, TxCtx } from '../platform/context.ts'
import type { Controlled, Retried } from './control/control.ts'
import type { ForkPlan, ForkRequest } from './control/fork.ts'
import type { Definition } from './graph/definition.ts'
import type { Step } from './graph/plan.ts'
import type { Call } from './journal/calls.ts'
import type { HttpReply } from './node.ts'
import type { Draft } from './rehearsal/draft.ts'

/** `job`: work of the product itself. */
export type ExecutionMode = 'live' | 'test' | 'job'

export type ExecutionStatus = 'queued' | 'running' | 'waiting' | FinalStatus

export interface ExecutionError {
  /** Stable: `node.timeout`, `http.status`, `expression.failed`, … */
  readonly code: string
  readonly message: string
  readonly node_id: string | null
  readonly details: JsonObject | null
}

export interface StartExecution {
  readonly workspace_id: string
  readonly workflow_id: string
  /** 0 with a `draft`. */
  readonly version: number
  /** Executed instead of a published version. */
  readonly draft?: Draft
  readonly mode: ExecutionMode
  /** The trigger node that fires. */
  readonly trigger_node_id: string
  /** What `trigger` is in expressions. */
  readonly payload: Json
  /** From `app.newId()`, where the caller must know it before; a new one when not given. */
  readonly execution_id?: string
  /** Present when a step of another execution starts it. */
  readonly call?: CalledBy
  /** Starts only if no execution of the workflow was started under this key; else `accepted` and the others reject with `engine.started_already`. */
  readonly once?: Once
  /** From -100 to 100; that of the workflow when not given. */
  readonly priority?: number
}

export interface CalledBy {
  readonly parent_execution_id: string
  /** Calls and webhooks in a row up to here. */
  readonly hops: number
  /** The parent waits for its end. */
  readonly waits: boolean
}

export interface Once {
  /** At most 200 letters, digits, `:`, `_` and `-`. */
  readonly key: string
  /** Unix milliseconds: until then the key counts. */
  readonly until: number
}

export interface EnqueueExecution extends StartExecution {
  /** A UUIDv7. The same one again enqueues nothing. */
  readonly execution_id: string
  /** The node type of the trigger. */
  readonly trigger_type: string
  /** Present when it begins with what another one had done. */
  readonly fork?: { readonly from_execution_id: string; readonly node_id: string | null; readonly kept: readonly Step[] }
}

export type FinalStatus = 'succeeded' | 'failed' | 'cancelled' | 'timed_out'

export interface Finished {
  readonly status: FinalStatus
  /** Output of the node that finished last. */
  readonly output: Json
  readonly error: ExecutionError | null
}

/** An execution that this process has started. Each promise settles once what it says is durable. All three
 *  reject with the same problem when the start could not be journalled: then the execution does not exist. */
export interface Running {
  readonly execution_id: string
  /** Committed: from here on a crash loses nothing. */
  readonly accepted: Promise<void>
  /** The first `http.respond`, or null when the execution ended without one. */
  readonly replied: Promise<HttpReply | null>
  readonly finished: Promise<Finished>
}

export interface Engine {
  /**
   * Starts an execution. Throws `engine.unknown_version`, or `engine.draining` while the server stops; a full process takes it
   * on as `queued`. Synchronous when the definition is in memory.
   */
  readonly start: (input: StartExecution) => Running | Promise<Running>
  /**
   * Starts an execution if and only if the caller's transaction commits, which must be in the system's scope: it is queued for whichever process
   * has room, this one is told at once. False when there is one of this id already; then nothing is written.
   */
  readonly enqueue: (tx: TxCtx, input: EnqueueExecution) => Promise<boolean>
  /** Makes a version executable, in the caller's transaction. Versions are immutable: a second deploy of the same number is an error. */
  readonly deploy: (tx: TxCtx, input: { workflow_id: string; version: number; definition: Definition }) => Promise<void>
  /** The execution that was started under a key, while that counts. */
  readonly startedUnder: (workflow_id: string, key: string) => Promise<string | null>
  /** The id under which a step starts another execution: the same one, whoever asks again. `started`: that has been done. */
  readonly reserveCall: (call: Call) => Promise<{ readonly execution_id: string; readonly started: boolean }>
  /**
   * Lets an execution go on that waits to be called, at the node or where it has waited for longest, with `output` as that step's. Of any
   * number of calls at once one does. Null: nothing of it waits any more.
   */
  readonly resume: (input: {
    readonly execution_id: string
    readonly node_id: string | null
    readonly output: Json
  }) => Promise<{ readonly node_id: string } | null>
  /** Brings what waiting steps were settled with to an execution that sleeps. Never rejects. */
  readonly bring: (execution_id: string) => Promise<void>
  /** Ends an execution; what is in flight is aborted. False when it had ended already. */
  readonly cancel: (execution_id: string) => Promise<boolean>
  /** Of an execution that has failed, was cancelled or timed out: it goes on from there, in the caller's transaction and scope. Null: it has not. */
  readonly retry: (tx: TxCtx, execution_id: string) => Promise<Retried | null>
  /**
   * Lets an execution come to rest, in the caller's transaction and scope: what is in flight comes back, nothing new begins. Null: it has ended, or is
   * paused already.
   */
  readonly pause: (tx: TxCtx, execution_id: string) => Promise<Controlled | null>
  /** What a new execution would begin with that goes on from a node of another one, read in the caller's scope. Null: there is none of this id. */
  readonly planFork: (ctx: Ctx, input: ForkRequest) => Promise<ForkPlan | null>
  /** Takes an execution that failed from those that somebody has to look after. Null: it is not among them. */
  readonly dismiss: (tx: TxCtx, execution_id: string) => Promise<Controlled | null>
  /** What is queued of a workflow and has not begun stays queued until it is released; in the caller's transaction and scope. */
  readonly holdQueued: (tx: TxCtx, workflow_id: string) => Promise<void>
  readonly releaseQueued: (tx: TxCtx, workflow_id: string) => Promise<void>
  /** Lets it go on. Null: it is not paused. */
  readonly unpause: (tx: TxCtx, execution_id: string) => Promise<Controlled | null>
}
