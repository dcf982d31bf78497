import type { Static, TSchema } from 'typebox'
import type { Settings, SettingDeclarations, SettingValues } from './config.ts'
import type { DatabaseHandle, ReadDb, TxDb } from './database/open.ts'
import type { Changes } from './events/changes.ts'
import type { EventDeclaration } from './events/event.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Module } from './module.ts'
import type { Permissions } from './permissions.ts'
import type { Service } from './service.ts'

export type SystemRole = 'admin' | 'user'
export type WorkspaceRole = 'owner' | 'admin' | 'member' | 'viewer'

/** Who acts. Everything that a permission, a row-level policy or the audit needs, and nothing that it must look up. */
export type Actor =
  | { readonly type: 'anonymous' }
  | {
      readonly type: 'user'
      readonly user_id: string
      readonly role: SystemRole
      readonly workspace_role: WorkspaceRole
      readonly plan: string
      readonly via: Via
      /** The admin who acts as this user, or null. */
      readonly impersonator_id: string | null
    }
  | { readonly type: 'system'; readonly reason: string }

/** What a user has shown to be let in. `must_enrol`: they lack a second factor that is asked of them, and until then may look after their account alone. */
export type Via =
  | { readonly type: 'session'; readonly session_id: string; readonly must_enrol?: boolean }
  | {
      readonly type: 'api_key'
      readonly key_id: string
      /** Those it was given; its owner's role bounds them at each request. */
      readonly permissions: ReadonlySet<string>
      /** A quota of its own below that of the plan, or null. */
      readonly requests_per_hour: number | null
      readonly must_enrol?: boolean
    }
  | { readonly type: 'external'; readonly issuer: string; readonly must_enrol?: boolean }

/** Where a request comes from. */
export interface Client {
  readonly address: string | null
  readonly user_agent: string | null
  /** How many workflows led to it, one by the other; left out for 0. */
  readonly hops?: number
}

/** Who answers for what is done, as events name them. */
export interface Principal {
  readonly type: Actor['type']
  readonly id: string | null
  readonly impersonator_id: string | null
}

/** What one running server has: made in `app.ts`, the same for every request. */
export interface App {
  readonly log: Logger
  readonly metrics: Metrics
  /** Names this server's data directory for as long as that exists; no two running servers share one. */
  readonly instance_id: string
  /** What the app is composed of, in order. */
  readonly modules: readonly Module[]
  /** What may be done here, and by whom. */
  readonly permissions: Permissions
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
  /** Given where there is a request. */
  readonly client?: Client | null
  /** Who answers for what is done, where that is not the actor. */
  readonly principal?: Principal
  readonly log?: Logger
  readonly signal?: AbortSignal
}

/** The context of one piece of work: reading, and the way to write. */
export interface Ctx extends App {
  readonly actor: Actor
  readonly workspace_id: string | null
  readonly request_id: string
  /** Where the request comes from that this is done for; null for what the product does by itself. */
  readonly client: Client | null
  /** The actor, or in the system's context made within a request who asked for that: events name them. */
  readonly principal: Principal
  readonly signal: AbortSignal
  /** Whether the actor has a permission beyond the one that the route asked for. */
  readonly may: (permission: string) => boolean
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
  /**
   * Records an event in this transaction; nobody sees it unless the transaction commits. With `changes`, what the change touched: the fields as they were and as they are. They go into the audit, with fields masked
   * whose names say that they hold credentials; no event of what somebody did to something may be without them where there is a before.
   */
  readonly emit: <Data extends TSchema>(event: EventDeclaration<Data>, data: Static<Data>, changes?: Changes) => void
  /**
   * Says on whose behalf this transaction is, where nobody was signed in when the request came: its events name that user, who has just
   * signed in or registered. Who was signed in already stays the one they name.
   */
  readonly onBehalfOf: (user_id: string) => void
  /** Runs after the commit and before the caller gets its answer; a failure is logged, the commit stands. */
  readonly afterCommit: (effect: () => void | Promise<void>) => void
}
