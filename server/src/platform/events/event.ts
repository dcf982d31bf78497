import type { TSchema } from 'typebox'

/** An event as a module declares it. `name` is `module.noun.verb` in the past tense, or `module.verb` for the module's one noun. */
export interface EventDeclaration<Data extends TSchema = TSchema> {
  readonly name: string
  readonly doc: string
  readonly data: Data
}

export const defineEvent = <Data extends TSchema>(event: EventDeclaration<Data>): EventDeclaration<Data> => event

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
  readonly actor: { readonly type: string; readonly id: string | null }
  readonly data: Data
  /** ISO 8601, UTC. */
  readonly created_at: string
}
