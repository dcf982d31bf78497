import type { App } from '../context.ts'
import type { Authenticate } from './authenticate.ts'
import type { Cors } from './cors.ts'
import type { Load } from './load.ts'
import type { Quotas } from './quota.ts'
import type { HttpSettings } from './settings.ts'

/** What all requests of one server share. */
export interface House {
  readonly app: App
  readonly settings: HttpSettings
  /** Without a trailing slash; known for certain once the server listens. */
  public_url: string
  readonly secure: boolean
  readonly security_headers: { readonly [name: string]: string }
  readonly cors: Cors | null
  readonly load: Load
  draining: boolean
  /** Called with every request that carries an idempotency key. */
  readonly sweep: () => void
  /** For requests whose body is large: what is done with them takes long, and a dozen may be complete at the same moment. */
  readonly inTurn: (work: () => void) => void
  /** The last Host header found valid; nearly every request repeats it. */
  last_host: string
  readonly authenticate: Authenticate
  /** What callers have of requests; null where that is not limited. */
  readonly quotas: Quotas | null
}
