import type { Static, TSchema } from 'typebox'
import type { Json, JsonObject } from '../lib/json.ts'
import { atOnce, type Interruptible } from '../lib/turns.ts'
import type { App } from '../platform/context.ts'
import type { Credential } from '../platform/outbound/credential.ts'
import type { Scope } from './expression/scope.ts'

/** What an HTTP caller that waits for an execution is answered with. */
export interface HttpReply {
  readonly status: number
  readonly headers: { readonly [name: string]: string }
  /** Sent as JSON unless it is a string and a content-type header says otherwise. */
  readonly body: Json
}

export interface NodeInput<Config> {
  /** The node's config, its expressions evaluated. */
  readonly config: Config
  /** Output of the live node before this one; by node id when there are several; the trigger's payload after the trigger. */
  readonly input: Json
  /** Outputs of the live nodes before this one, by node id. */
  readonly inputs: JsonObject
}

/** What an effect may use. A pure node gets none of it. */
export interface NodeIo {
  readonly app: App
  readonly workspace_id: string
  readonly execution_id: string
  readonly node_id: string
  /** The node's id, with loop indices before it where it stands in a loop: `loop[3].fetch`. */
  readonly path: string
  /** 1 for the first try. */
  readonly attempt: number
  /** Attempts in a row that failed before this one. */
  readonly failures: number
  /** Same for every attempt and every recovery of this step: `<execution>:<path of the node>`. */
  readonly idempotency_key: string
  /** Workflows that called each other, by webhook or by `flow.call`, before this execution; a request from it says one more. */
  readonly hops: number
  /** The stored credential with that id, of this workspace. Rejects with a `NodeFailure` when it cannot be used. */
  readonly credential: (id: string) => Promise<Credential>
  /** What expressions may name at the node's place. */
  readonly scope: Scope
  /** Aborted when the step's time is over, the execution is cancelled or the lease is lost. */
  readonly signal: AbortSignal
}

export interface NodeResult {
  readonly output: Json
  /** The port it leaves through; `out` when not given. */
  readonly port?: string
  /** The ports, where it leaves through several at once. */
  readonly ports?: readonly string[]
  /** Ends the whole execution, whatever else is under way. */
  readonly stop?: { readonly status: 'succeeded' | 'failed'; readonly message: string }
  /** Answers a caller that waits with `respond: respond_node`; the first one counts. */
  readonly reply?: HttpReply
  /** It was not done: this would have been. */
  readonly dry?: JsonObject
}

/** A failure that a node declares. Anything else thrown becomes `node.unexpected`. */
export class NodeFailure extends Error {
  readonly code: string
  /** False: trying again cannot help. */
  readonly retryable: boolean
  /** What the other side asked for (`Retry-After`), in milliseconds. */
  readonly retry_after_ms: number | null
  readonly details: JsonObject | null

  constructor(failure: { code: string; message: string; retryable?: boolean; retry_after_ms?: number; details?: JsonObject }) {
    super(failure.message)
    this.name = 'NodeFailure'
    this.code = failure.code
    this.retryable = failure.retryable ?? false
    this.retry_after_ms = failure.retry_after_ms ?? null
    this.details = failure.details ?? null
  }
}

/** Thrown by an effect that is to be run again at a later time: durable, however far away that is. It has not failed, and may ask as often as it likes. */
export class Later extends Error {
  readonly ms: number
  /** Nothing is to be held meanwhile, however short that is: somebody will wake the execution. */
  readonly asleep: boolean

  constructor(ms: number, { asleep = false }: { readonly asleep?: boolean } = {}) {
    super(`to be run again in ${ms} ms`)
    this.name = 'Later'
    this.asleep = asleep
    this.ms = Math.max(0, Math.ceil(ms))
  }
}

/** How a node is used; a test holds it against what the node does. */
export interface Example {
  readonly config: JsonObject
  /** The trigger's payload, which is the node's input as well; of a trigger, what it starts with. */
  readonly trigger?: Json
  /** Of a node without effects. */
  readonly output?: Json
  /** The ports that it leaves through, where that is not `out`. */
  readonly ports?: readonly string[]
}

interface ConfigMistake {
  /** JSON Pointer into the config. */
  readonly path: string
  readonly message: string
}

interface Description {
  /** `http.request`: group and name. */
  readonly type: string
  readonly title: string
  readonly description: string
  readonly icon: string
  /** Object schema of `config`. A string property with `format: 'expression'` is CEL with or without `{{ }}`; one with `format: 'literal'` is
   *  taken as it stands; in every other string `{{ … }}` is evaluated, at any depth. A property with `evaluate: 'per_item'` comes as a
   *  function of an element and its index, which its expressions may name (`PerItem`); one with `'on_demand'` as a function (`OnDemand`); with `'never'` it is taken as it stands, at any depth. */
  readonly config: TSchema
  /** Mistakes in a config that fits the schema: what one field means for another. Texts may be expressions still. */
  readonly check?: (config: JsonObject) => readonly ConfigMistake[]
  readonly example?: Example
  /** Schema of the output, as far as it is known. */
  readonly output: TSchema
  /** Ports besides `error`; a function where they depend on the config. `['out']` when not given. */
  readonly ports?: readonly string[] | ((config: JsonObject) => readonly string[])
}

/** Starts an execution; its output is the trigger's payload. */
export interface TriggerNode extends Description {
  readonly kind: 'trigger'
}

/** No I/O, same result for the same input; runs within the commit of what follows it. */
export interface PureNode<Config = never> extends Description {
  readonly kind: 'pure'
  readonly run: (input: NodeInput<Config>) => NodeResult
  /** The same in pieces, for what may take longer than a turn of the event loop. */
  readonly turns?: (input: NodeInput<Config>) => Interruptible<NodeResult>
}

/** Talks to the world; its result is durable before anything that depends on it starts. */
export interface EffectNode<Config = never> extends Description {
  readonly kind: 'effect'
  /** It starts executions, which do not outlive their caller where that waits for them. */
  readonly starts_executions?: true
  /** It does nothing to the world and asks nothing of it: tests and dry runs run it as well. */
  readonly harmless?: true
  /** What a dry run, which does not do it, takes it to have given: the plainest output that its schema allows when not given. */
  readonly stand_in?: (input: NodeInput<Config>) => NodeResult
  readonly run: (input: NodeInput<Config>, io: NodeIo) => Promise<NodeResult>
}

/** Waits for its incoming edges and passes their outputs on; the plan knows how. */
export interface MergeNode extends Description {
  readonly kind: 'merge'
}

/** Repeats the nodes of its `body`; the plan knows how. */
export interface RegionNode extends Description {
  readonly kind: 'region'
  readonly repeats: 'each' | 'while'
}

export type NodeType = TriggerNode | PureNode | EffectNode | MergeNode | RegionNode

export const trigger = (node: Omit<TriggerNode, 'kind'>): NodeType => ({ kind: 'trigger', ...node })

export const pure = <C extends TSchema>(node: Omit<PureNode<Static<C>>, 'kind' | 'config'> & { readonly config: C }): NodeType =>
  ({ kind: 'pure', ...node }) as unknown as NodeType

export const effect = <C extends TSchema>(node: Omit<EffectNode<Static<C>>, 'kind' | 'config'> & { readonly config: C }): NodeType =>
  ({ kind: 'effect', ...node }) as unknown as NodeType

/** A pure node whose work grows with its input: it yields after each piece, and others have their turn in between. */
export const pureInTurns = <C extends TSchema>(
  node: Omit<PureNode<Static<C>>, 'kind' | 'config' | 'run' | 'turns'> & {
    readonly config: C
    readonly turns: (input: NodeInput<Static<C>>) => Interruptible<NodeResult>
  },
): NodeType => pure<C>({ ...node, run: (input) => atOnce(node.turns(input)) })
