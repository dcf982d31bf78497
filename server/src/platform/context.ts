import type { Static, TSchema } from 'typebox'
import type { Settings, SettingDeclarations, SettingValues } from './config.ts'
import type { DatabaseHandle, ReadDb, TxDb } from './database/open.ts'
import type { EventDeclaration } from './events/event.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Module } from './module.ts'
import type { Service } from './service.ts'

export type SystemRole = 'admin' | 'user'
export type WorkspaceRole = 'owner' | 'admin' | 'member' | 'viewer'

/** Who acts. Everything that a permission, a row-level policy or the audit needs, and nothing that it must look up. */
export type Actor =
  | { readonly type: 'anonymous' }
  | {
      readonly type: 'user'
      readonly user_id: string
      readonly session_id: string
      readonly role: SystemRole
      readonly workspace_role: WorkspaceRole
      readonly plan: string
    }
  | { readonly type: 'system'; readonly reason: string }

/** What one running server has: made in `app.ts`, the same for every request. */
export interface App {
  readonly log: Logger
  readonly metrics: Metrics
  /** Names this server's data directory for as long as that exists; no two running servers share one. */
  readonly instance_id: string
  /** What the app is composed of, in order. */
  readonly modules: readonly Module[]
  /** The database itself, for the few files that write SQL of their own under the system's role. */
  readonly database: DatabaseHandle
  /** Unix milliseconds, from the app's clock. */
  readonly now: () => number
  /** A new UUIDv7. */
  readonly newId: () => string
  /** The values of a module's declared settings. */
  readonly settings: <D extends SettingDeclarations>(settings: Settings<D>) => SettingValues<D>
  /** The app's one instance of a service. */
  readonly use: <Instance>(service: Service<Instance>) => Instance
  /** A context for an actor; the HTTP server and the consumers make theirs here. */
  readonly context: (input: ContextInput) => Ctx
  /**
   * A context that no row-level policy narrows. The reason is logged and greppable: it says why work of the product
   * itself, and not of a caller, needs it. With a `workspace_id`, rows are still written for that workspace.
   */
  readonly asSystem: (reason: string, workspace_id?: string) => Ctx
}

export interface ContextInput {
  readonly actor: Actor
  /** The workspace the caller works in; null before sign-in. */
  readonly workspace_id: string | null
  readonly request_id: string
  readonly log?: Logger
  readonly signal?: AbortSignal
}

/** The context of one piece of work: reading, and the way to write. */
export interface Ctx extends App {
  readonly actor: Actor
  readonly workspace_id: string | null
  readonly request_id: string
  readonly signal: AbortSignal
  /** Reads, within the actor's scope. It has no insert, update or delete: those exist on a transaction alone. */
  readonly db: ReadDb
  /**
   * Runs `work` in one transaction, in the actor's scope. Its events are written before the commit, its after-commit
   * effects run once the commit is durable. Called on a context that is already in a transaction it joins that one.
   */
  readonly tx: <T>(work: (tx: TxCtx) => Promise<T>) => Promise<T>
}

export interface TxCtx extends Ctx {
  readonly db: TxDb
  /** Records an event in this transaction. Nobody sees it unless the transaction commits. */
  readonly emit: <Data extends TSchema>(event: EventDeclaration<Data>, data: Static<Data>) => void
  /** Runs after the commit and before the caller gets its answer; a failure is logged, the commit stands. */
  readonly afterCommit: (effect: () => void | Promise<void>) => void
}
