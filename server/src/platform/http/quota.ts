import type { Actor, App } from '../context.ts'
import type { Identified } from './authenticate.ts'

/** What a caller has of requests, whatever they ask for. */
export interface Quota {
  /** As `RateLimit-Policy` says it. */
  readonly name: string
  readonly quota: number
  readonly window_s: number
  /** What shares it: requests with the same name and key are counted together. */
  readonly key: string
}

/** What the counter of a quota is called. */
export const callerCounter = (name: string): string => `caller:${name}`

/** The quotas of callers. Exactly one module offers them. */
export interface Quotas {
  /** Those of a caller, from memory; null when there is none, which costs nothing. */
  readonly of: (app: App, actor: Actor) => readonly Quota[] | null
  /** Told of each request that was refused for one of them. */
  readonly refused?: (app: App, who: Identified, quota: Quota, used: number) => void
  /** For the description of the routes: requests per hour by what a plan is called. */
  readonly described: { readonly [plan: string]: number }
}
