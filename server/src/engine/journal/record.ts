import type { Json, JsonObject } from '../../lib/json.ts'
import type { Digest } from '../../platform/blobs/blob.ts'
import type { ExecutionError, FinalStatus } from '../contract.ts'
import type { Step } from '../graph/plan.ts'
import type { Turns } from '../graph/region.ts'
import type { Place } from '../lines/place.ts'
import type { Draft } from '../rehearsal/draft.ts'

/** How an execution ended, as its last record says. Its output is that of the step that finished last. */
export interface Ending {
  readonly status: FinalStatus
  readonly error: ExecutionError | null
}

/**
 * The body of one row of `execution_records`: what one shared commit adds to an execution's history. Record 0 carries the
 * trigger. Folding the records in the order of `seq` gives the execution's state, on any process, at any time.
 */
export interface RecordBody {
  /** The record is a large one: this is all that its row says besides `at` and no steps. It stands first (`large-records.ts`). */
  readonly blob?: Digest
  /** Unix milliseconds. */
  readonly at: number
  readonly trigger?: { readonly node_id: string; readonly payload: Json }
  /** What is executed, where that is no published version. */
  readonly draft?: Draft
  /** The variables of the workspace that the execution goes by from here on: in its first record, or in the one after it. */
  readonly vars?: JsonObject
  readonly steps: readonly Step[]
  readonly regions?: readonly RegionFact[]
  readonly ending?: Ending
  /** It had failed, and is tried again from there on. The failures before that ended it do not count any more. */
  readonly retried?: { readonly by: Actor }
  readonly paused?: { readonly by?: Actor }
  /** It goes on; its time limit stood still for so long. */
  readonly resumed?: { readonly by: Actor; readonly paused_ms: number }
}

/** Who did something to an execution. */
export interface Actor {
  readonly type: string
  readonly id: string | null
}

/** What happened to a region besides the steps of its body. */
export interface RegionFact {
  /** The step of this record before which it happened. */
  readonly before: number
  /** Of the region's node. */
  readonly path: string
  /** It was opened with so many turns to do (of `while` at most). */
  readonly opened?: { readonly turns: number; readonly at: number }
  /** Turns of a body without effects, as a whole. */
  readonly turns?: Turns
}

/** What one execution hands to the group commit. */
export interface Entry {
  readonly execution_id: string
  readonly workspace_id: string
  readonly seq: number
  /** A `RecordBody` as JSON. */
  readonly body: string
  /** Present when the execution is new. */
  readonly accept: NewExecution | null
  /** Present when the execution ends with this record. */
  readonly finish: Finish | null
  /** ISO 8601. Present when it sleeps from this record on: nobody holds it until then. Never on a new execution. */
  readonly wake_at: string | null
}

export interface NewExecution {
  readonly workflow_id: string
  readonly version: number
  readonly mode: string
  readonly trigger_type: string
  readonly trigger_node_id: string
  readonly status: string
  /** False: it is queued for any process. */
  readonly held: boolean
  /** Present when it begins only if the key is free: it is taken in the same commit. */
  readonly once: { readonly key: string; /** ISO 8601. */ readonly until: string } | null
  /** ISO 8601. */
  readonly started_at: string
  /** Left out where the priority is 0 and nothing limits the workflow. */
  readonly standing?: Standing
}

/** How an execution stands among others. */
export interface Standing {
  readonly priority: number
  /** Present when it is to be admitted first; then it is not held. */
  readonly in_line: (Place & { /** ISO 8601 or `infinity`: when its time is over. */ readonly until: string }) | null
}

export interface Finish {
  readonly status: FinalStatus
  /** ISO 8601. */
  readonly finished_at: string
  /** JSON, or null. */
  readonly error: string | null
  /** Written to the event log in the same commit. */
  readonly event: { readonly id: string; readonly workspace_id: string | null; readonly name: string; readonly data: string } | null
}
