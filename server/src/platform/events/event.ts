import type { Static, TSchema } from 'typebox'

/** An event as a module declares it. `name` is `module.noun.verb` in the past tense, or `module.verb` for the module's one noun. */
export interface EventDeclaration<Data extends TSchema = TSchema> {
  readonly name: string
  readonly doc: string
  readonly data: Data
}

export const defineEvent = <Data extends TSchema>(event: EventDeclaration<Data>): EventDeclaration<Data> => event

/** An event as it was recorded. */
export interface RecordedEvent<Data = unknown> {
  /** UUIDv7, made when the event was emitted. */
  readonly id: string
  /** Position in the log: ascending, with gaps. Consumers never see a lower one after a higher one. */
  readonly seq: number
  readonly name: string
  readonly workspace_id: string | null
  readonly actor: { readonly type: string; readonly id: string | null }
  readonly data: Data
  /** ISO 8601, UTC. */
  readonly created_at: string
}

export type EventData<E> = E extends EventDeclaration<infer Data> ? Static<Data> : never
