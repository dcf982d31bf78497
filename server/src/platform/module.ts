import type { JsonObject } from '../lib/json.ts'
import type { SettingDeclarations, Settings } from './config.ts'
import type { App, Ctx, TxCtx } from './context.ts'
import type { Errors } from './errors.ts'
import type { Consumer } from './events/consumer.ts'
import type { EventDeclaration } from './events/event.ts'
import type { Authenticate } from './http/authenticate.ts'
import type { Quotas } from './http/quota.ts'
import type { Route } from './http/route.ts'
import type { Credential } from './outbound/credential.ts'
import type { Service } from './service.ts'

/** A permission: `<noun>:<verb>`. Who has it stands in `roles.ts`. */
export interface PermissionDeclaration {
  readonly doc: string
  /** Never for an API key, a token of a foreign issuer or somebody who acts as another: what could take an account over. */
  readonly session_only?: true
}

/** One line of the detailed health report. */
export interface HealthCheck {
  readonly name: string
  readonly check: (app: App) => Promise<{ readonly ok: boolean; readonly detail?: string }>
}

export interface Figures {
  readonly [figure: string]: number | string | null
}

/** What a module counts: `{ name: 'executions', … }` becomes `executions: { last_30_days: 12 }` in the statistics. Read in the system's scope. */
export interface Statistic {
  readonly name: string
  readonly doc: string
  readonly ofUser?: (ctx: Ctx, user_id: string) => Promise<Figures>
  readonly ofInstallation?: (ctx: Ctx) => Promise<Figures>
}

/** Whose data it is. */
export interface Person {
  readonly id: string
  readonly email: string
}

/** What a module knows of a person: shown to them when they ask for all of it, and gone when they leave. In the system's scope. */
export interface PersonalData {
  /** Of the section in an export: `sessions`. */
  readonly name: string
  readonly doc: string
  /** Row by row; what may be long is read in pages. Never a secret. */
  readonly read: (ctx: Ctx, person: Person) => Promise<Iterable<unknown> | AsyncIterable<unknown>>
  /** Removes what does not go with the row of the account, in the transaction of the erasure. Later modules first. */
  readonly erase?: (tx: TxCtx, person: Person) => Promise<unknown>
}

/** One line for the person who starts the server: `{ label: 'Set up', text: 'http://…' }`. */
export interface Announcement {
  readonly label: string
  readonly text: string
}

/** Everything that a module may offer. The app collects; nobody imports sideways to contribute. */
export interface Module {
  readonly name: string
  /** Modules whose front door this one calls; they come before it in every order. */
  readonly needs?: readonly string[]
  readonly settings?: Settings<SettingDeclarations>
  readonly errors?: Errors | readonly Errors[]
  readonly permissions?: { readonly [permission: string]: PermissionDeclaration }
  readonly events?: readonly EventDeclaration[]
  readonly migrations?: URL
  // Instances have nothing in common; whoever uses a service names its value and gets its type.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly services?: readonly Service<any>[]
  readonly routes?: readonly Route[]
  readonly consumers?: readonly Consumer[]
  readonly checks?: readonly HealthCheck[]
  readonly statistics?: readonly Statistic[]
  readonly personal_data?: readonly PersonalData[]
  /** Node types for the engine; typed there, opaque here, because the platform knows no engine. */
  readonly nodes?: readonly unknown[]
  /** Work of the module's own that the engine executes, opaque for the same reason. */
  readonly jobs?: readonly unknown[]
  /** Told once the server is ready, to whoever started it. */
  readonly announce?: (app: App) => Promise<readonly Announcement[]>
  /** Turns credentials into an actor. Exactly one module offers it. */
  readonly authenticate?: Authenticate
  /** The mail address of a user, in the system's scope. Exactly one module offers it. */
  readonly addressOf?: (ctx: Ctx, user_id: string) => Promise<string | null>
  /** How many requests a caller has. Exactly one module offers it. */
  readonly quotas?: Quotas
  /** Who owns a workspace, in the system's scope. Exactly one module offers it. */
  readonly owners?: (ctx: Ctx, workspace_id: string) => Promise<readonly string[]>
  /**
   * Removes for good what this module keeps of a workspace, where that does not go with the workspace's own row (`on delete cascade`). In
   * pieces, because it may be cut off by `signal` and is called again then. False while something is not over yet: called again within the hour.
   */
  readonly purge?: (app: App, workspace_id: string, signal: AbortSignal) => Promise<boolean>
  /** The stored credential with that id, of the workspace of the context and in the system's scope. Exactly one module offers it. */
  readonly credentials?: (ctx: Ctx, id: string) => Promise<Credential>
  /** The variables of a workspace, by name, for its workflows; at once where they are known. Exactly one module offers it. */
  readonly variables?: (app: App, workspace_id: string) => JsonObject | Promise<JsonObject>
  /** What of this module needs the integration with that id to work, in the scope of the caller. */
  readonly usersOfIntegration?: (ctx: Ctx, integration_id: string) => Promise<readonly { readonly id: string; readonly name: string }[]>
  /** How much there is of what this module keeps and plans limit, by feature; in the scope of the caller. */
  readonly gauges?: { readonly [feature: string]: (ctx: Ctx) => Promise<number> }
}

export const defineModule = (module: Module): Module => module

/** What all modules of an app have to say to whoever started it. */
export const announcements = async (app: App): Promise<readonly Announcement[]> => {
  const told = await Promise.all(app.modules.flatMap((module) => (module.announce ? [module.announce(app)] : [])))
  return told.flat()
}
