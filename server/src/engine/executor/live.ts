import type { Json, JsonObject } from '../../lib/json.ts'
import type { Interruptible } from '../../lib/turns.ts'
import type { App } from '../../platform/context.ts'
import { type CompiledNode, type CompiledVersion, type Scope, type ScopeFacts, scopeIn } from '../compile.ts'
import type { Finished } from '../contract.ts'
import type { GraphNode } from '../graph/graph.ts'
import type { Ready, Run, Step } from '../graph/plan.ts'
import type { Region, TurnError } from '../graph/region.ts'
import type { Entry, NewExecution, RegionFact } from '../journal/record.ts'
import type { HttpReply, NodeResult } from '../node.ts'
import type { Draft } from '../rehearsal/draft.ts'

/** What an execution needs of the process that holds it. */
export interface Host {
  readonly app: App
  readonly random: () => number
  readonly step_timeout_ms: number
  /** Calls `ring` once it is `at` (Unix milliseconds); returns how to call it off. */
  readonly alarm: (at: number, ring: () => void) => () => void
  /** Whether an execution that only waits may be let go of until its time comes. */
  readonly sleeps: boolean
  readonly commit: (entry: Entry) => Promise<void>
  readonly resumeUrl: (execution_id: string) => string
  /** False while the process stops: what is in flight may end, no further effect begins. */
  readonly launching: () => boolean
  /** The execution has ended, durably, or could not be journalled: it is not held any more. */
  readonly released: (execution_id: string) => void
  /** The execution has ended, durably. */
  readonly ended: (facts: ScopeFacts, version: CompiledVersion) => void
  /** The execution sleeps, durably; `cancelled`: its end was asked for meanwhile; `waits`: it may wait to be called. */
  readonly asleep: (facts: ScopeFacts, how: { readonly cancelled: boolean; readonly waits: boolean }) => void
}

/** Told once each, when what they say is durable. */
export interface Listener {
  readonly accepted: () => void
  readonly refused: (error: Error) => void
  readonly replied: (reply: HttpReply | null) => void
  readonly finished: (finished: Finished) => void
}

/** What an execution is made from when this process takes hold of it. */
export interface Beginning {
  readonly host: Host
  readonly facts: ScopeFacts
  readonly version: CompiledVersion
  readonly run: Run
  readonly scope: Scope
  /** Records written so far. */
  readonly next_seq: number
  /** Present when the first record is still to be written. */
  readonly accept: { readonly row: NewExecution; readonly payload: Json; readonly draft?: Draft | undefined } | null
  /** Variables that no record has yet; null: there are none to be kept. */
  readonly vars_due: JsonObject | null
  readonly listener: Listener | null
}

/** An attempt that has ended. */
export interface Arrival {
  readonly run: Run
  readonly index: number
  readonly step: Step
}

/** Turns of one region that will be recorded together. */
export interface Noted {
  readonly region: Region
  readonly before: number
  readonly fact: RegionFact
  readonly turns: { next: number; readonly outputs: Json[]; errors?: TurnError[] }
}

/** An effect that is in flight. */
export interface Flight {
  readonly run: Run
  readonly abandon: AbortController
  /** Its place among all of them. */
  at: number
}

/** An execution in the memory of this process. Only the files of this folder change it. */
export interface Live extends Omit<Beginning, 'next_seq' | 'accept' | 'vars_due'> {
  next_seq: number
  accept: Beginning['accept']
  vars_due: JsonObject | null
  /** A record is on its way. */
  committing: boolean
  over: boolean
  cancelled: boolean
  /** Nothing new begins; when all that is in flight has come back, it sleeps. */
  pausing: boolean
  /** The database has refused a record of it. */
  refused: boolean
  /** Attempts that have ended and are in no record yet. */
  arrived: Arrival[]
  /** Nodes whose turn it is and that have not begun. */
  ready: Ready[]
  reply: HttpReply | null
  /** In no order. */
  readonly in_flight: Flight[]
  /** Work without effects that did not come to its end within one turn. */
  readonly begun: Map<Ready, Interruptible<NodeResult>>
  /** What happened to regions and is in no record yet. */
  regions: RegionFact[]
  /** The turns that the last of them tells of, while more may be added. */
  noted: Noted | null
  /** The scope of the turn that was worked on last: nodes of one turn come one after the other. */
  turn: { readonly run: Run; readonly scope: Scope } | null
  /** How to call off what was set. */
  readonly alarms: Set<() => void>
  /** Size of what the steps have given, as far as this process knows. */
  given_chars: number
  /** What is large and has been measured: it is often handed on as it is. */
  readonly large: WeakMap<object, number>
  /** Wait until no effect is in flight. */
  readonly quiet: (() => void)[]
}

export const nodeOf = (live: Live, run: Run, index: number): { readonly graph: GraphNode; readonly compiled: CompiledNode } => ({
  graph: run.graph.nodes[index] as GraphNode,
  compiled: (run.place === null ? live.version.nodes : live.version.bodies.get(run.graph))?.[index] as CompiledNode,
})

/** What the expressions of a run's nodes see. */
export const scopeAt = (live: Live, run: Run): Scope => {
  if (run.place === null) return live.scope
  if (live.turn?.run === run) return live.turn.scope
  const scope = scopeIn(scopeAt(live, run.place.outer), run, run.place)
  live.turn = { run, scope }
  return scope
}

export const addAlarm = (live: Live, at: number, ring: () => void): void => {
  const off = live.host.alarm(at, () => {
    live.alarms.delete(off)
    ring()
  })
  live.alarms.add(off)
}

/** Ends all that goes on in memory; the journal is not touched. */
export const letGo = (live: Live): void => {
  live.over = true
  for (const off of live.alarms) off()
  live.alarms.clear()
  for (const { abandon } of [...live.in_flight]) abandon.abort()
}
