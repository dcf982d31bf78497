import type { TSchema } from 'typebox'
import type { Changes } from './changes.ts'

/** An event as a module declares it. `name` is `module.noun.verb` in the past tense, or `module.verb` for the module's one noun. */
export interface EventDeclaration<Data extends TSchema = TSchema> {
  readonly name: string
  readonly doc: string
  readonly data: Data
  /** Left out of the audit: what comes in masses and leaves a record of its own. */
  readonly audit?: false
  /** The field of `data` that names what it happened to, where that is neither `user_id` nor the first of its other ids. */
  readonly target?: string
  /** It concerns the operator of the installation as well, whatever workspace it belongs to: workflows of theirs may begin with it. */
  readonly of_installation?: true
}

export const defineEvent = <Data extends TSchema>(event: EventDeclaration<Data>): EventDeclaration<Data> => event

/** Where a request came from. */
export interface Origin {
  readonly request_id: string
  readonly address: string | null
  readonly user_agent: string | null
  /** How many workflows led to it, one by the other; left out for 0. */
  readonly hops?: number
}

/** An event as it was recorded. */
export interface RecordedEvent<Data = unknown> {
  /** UUIDv7, made when the event was written. */
  readonly id: string
  /**
   * Number in the log, with gaps. Ascending within a batch of a consumer; across batches a lower one may follow a higher one when its
   * transaction committed later. A change that was made in the knowledge of another always comes after it.
   */
  readonly seq: number
  readonly name: string
  readonly workspace_id: string | null
  /** Who did it: `user`, `anonymous` or `system`; the last one with an id of null. */
  readonly actor: { readonly type: string; readonly id: string | null }
  /** The admin who acted as that user, or null. */
  readonly impersonator_id: string | null
  /** The request that it came from; null for what the product did by itself. */
  readonly origin: Origin | null
  readonly data: Data
  /**
   * What the change touched, credentials masked. For the audit and for who reacts inside of the product: nothing that hands events on to
   * others, a webhook or a socket, may include them. `data` is what everybody may see.
   */
  readonly changes: Changes | null
  /** ISO 8601, UTC. */
  readonly created_at: string
}
