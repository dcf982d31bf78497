import type { Json } from '../../lib/json.ts'
import type { Interruptible } from '../../lib/turns.ts'
import type { App } from '../../platform/context.ts'
import type { CompiledNode, CompiledVersion, Scope, ScopeFacts } from '../compile.ts'
import type { Finished } from '../contract.ts'
import type { GraphNode } from '../graph/graph.ts'
import type { Ready, Run, Step } from '../graph/plan.ts'
import type { Entry, NewExecution } from '../journal/record.ts'
import type { HttpReply, NodeResult } from '../node.ts'
import { setAlarm } from './alarm.ts'

/** What an execution needs of the process that holds it. */
export interface Host {
  readonly app: App
  readonly random: () => number
  readonly step_timeout_ms: number
  readonly commit: (entry: Entry) => Promise<void>
  /** False while the process stops: what is in flight may end, no further effect begins. */
  readonly launching: () => boolean
  /** The execution has ended, durably, or could not be journalled: it is not held any more. */
  readonly released: (execution_id: string) => void
  /** The execution sleeps, durably; `cancelled`: its end was asked for meanwhile. */
  readonly asleep: (execution_id: string, cancelled: boolean) => void
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
  readonly accept: { readonly row: NewExecution; readonly payload: Json } | null
  readonly listener: Listener | null
}

/** An execution in the memory of this process. Only the files of this folder change it. */
export interface Live extends Omit<Beginning, 'next_seq' | 'accept'> {
  next_seq: number
  accept: Beginning['accept']
  /** A record is on its way. */
  committing: boolean
  over: boolean
  cancelled: boolean
  /** The database has refused a record of it. */
  refused: boolean
  /** Attempts that have ended and are in no record yet. */
  arrived: Step[]
  /** Nodes whose turn it is and that have not begun. */
  ready: Ready[]
  reply: HttpReply | null
  readonly in_flight: Map<number, AbortController>
  /** Work without effects that did not come to its end within one turn. */
  readonly begun: Map<number, Interruptible<NodeResult>>
  /** How to call off what was set. */
  readonly alarms: Set<() => void>
  /** Size of what the steps have given, as far as this process knows. */
  given_chars: number
  /** What is large and has been measured: it is often handed on as it is. */
  readonly large: Map<Json, number>
  /** Wait until no effect is in flight. */
  readonly quiet: (() => void)[]
}

export const nodeOf = (live: Live, index: number): { readonly graph: GraphNode; readonly compiled: CompiledNode } => ({
  graph: live.version.graph.nodes[index] as GraphNode,
  compiled: live.version.nodes[index] as CompiledNode,
})

export const addAlarm = (live: Live, at: number, ring: () => void): void => {
  const off = setAlarm(live.host.app.now, at, () => {
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
  for (const abandon of live.in_flight.values()) abandon.abort()
}
