import type { Static, TObject, TSchema } from 'typebox'
import type { App, Ctx } from '../context.ts'
import type { Logger } from '../log.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What a handler may know of the request beyond its validated input. */
export interface RequestFacts {
  readonly ip: string
  readonly user_agent: string | null
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly cookies: { readonly [name: string]: string | undefined }
  /** The revision named by `If-Match`, or null. Pass it on to the store: 412 `http.precondition_failed` when it is stale. */
  readonly if_match: number | null
  /** The caller's `Idempotency-Key`, unquoted. What is replayed is replayed before a handler sees it. */
  readonly idempotency_key: string | null
}

export interface RatePolicy {
  readonly name: string
  readonly quota: number
  readonly window_s: number
  /** What shares the quota: the caller's address (of IPv6 the first 64 bits, of which one person has all), or the signed-in user. */
  readonly per: 'address' | 'user'
}

/** Who may call: anyone, or who has a declared permission. */
export type Allow = 'public' | `${string}:${string}`

export type Replies = { readonly [status: number]: TSchema }

type In<S> = S extends TSchema ? Static<S> : undefined
type Success<R extends Replies> = { [Status in keyof R]: R[Status] extends TSchema ? Static<R[Status]> : never }[keyof R]

type Answered<R extends Replies> = Success<R> | Reply<Success<R>> | Streamed

export interface RouteInput<P, Q, B> {
  readonly params: In<P>
  readonly query: In<Q>
  readonly body: In<B>
  readonly request: RequestFacts
}

/** A route as a module writes it: everything that OpenAPI, the permission check, the limits and the tests read off. */
export interface RouteDeclaration<
  P extends TObject | undefined,
  Q extends TObject | undefined,
  B extends TSchema | undefined,
  R extends Replies,
> {
  readonly method: Method
  /** Below `/api/v1` unless `root` is set: `/workflows/{id}/publish`. */
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly allow: Allow
  readonly root?: true
  /**
   * The path parameter that names the workspace the request acts in, instead of the token's or `X-Workspace-Id`: the permission is
   * that of the caller's role there. 404 `workspaces.not_found` for who does not belong to it.
   */
  readonly workspace?: string
  /** Answered also while the server is overloaded, and logged at `debug`: a health check. */
  readonly never_shed?: true
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly body_limit_bytes?: number
  /** Success replies by status. The lowest one is used unless the handler answers with `reply()`. Problems need no mention. */
  readonly replies: R
  /** Content types of what the handler answers with `streamed()`, for OpenAPI. */
  readonly streams?: readonly string[]
  /** Codes of the errors this route throws beyond the general ones, for OpenAPI. */
  readonly errors?: readonly { readonly code: string; readonly declaration: { readonly status: number; readonly title: string } }[]
  /** The reply is one object with a `revision`: it becomes the ETag, `If-None-Match` is answered with 304, `If-Match` is parsed. */
  readonly etag?: true
  /** A write without `If-Match` is refused with 428 `http.precondition_required`. */
  readonly needs_if_match?: true
  /**
   * POST only: honours `Idempotency-Key`.
   *
   * - `true`: with a key the handler runs inside one transaction that also stores the reply, so after a crash either both are
   *   there or neither is. For handlers that only write to the database; `ctx.tx` joins.
   * - `'claimed'`: for a handler that commits and then waits (for an execution, for a foreign server). The key is claimed
   *   before it runs and the reply stored after it; a claim whose process died is free again after two minutes.
   *
   * Replies are kept for 24 hours, encrypted.
   */
  readonly idempotent?: true | 'claimed'
  readonly limits?: readonly RatePolicy[]
  readonly handler: (ctx: Ctx, input: RouteInput<P, Q, B>) => Answered<R> | Promise<Answered<R>>
}

// A list of routes with different schemas needs one type; the handler's own input was checked where the route was written.
// oxlint-disable-next-line typescript/no-explicit-any
export type OrdinaryRoute = RouteDeclaration<any, any, any, any>

/** What a module lists: ordinary routes and, where a route answers in its own form, raw ones. */
export type Route = OrdinaryRoute | RawRoute

export const route = <
  R extends Replies,
  P extends TObject | undefined = undefined,
  Q extends TObject | undefined = undefined,
  B extends TSchema | undefined = undefined,
>(
  declaration: RouteDeclaration<P, Q, B, R>,
): OrdinaryRoute => declaration

/** A method that a raw route may take; the others are answered 405 with `Allow`. */
export type RawMethod = Method | 'HEAD' | 'OPTIONS'

/** A request as a raw route gets it: nothing is parsed, decoded or looked up before it is asked for. */
export interface RawRequest extends RequestFacts {
  readonly id: string
  readonly method: string
  /** As it was sent, without the query: `/hooks/acme/orders`. */
  readonly path: string
  /** Percent-decoded. The rest that a trailing `*` stands for is under `*`, without a leading slash. */
  readonly params: { readonly [name: string]: string }
  /** The query as it was sent, without `?`; empty when there is none. */
  readonly query: string
  /** The body as it was sent; empty when there is none. At most `body_limit_bytes`. */
  readonly body: Buffer
  /** Trace id of a valid `traceparent`, else null. */
  readonly trace_id: string | null
  /** Carries the request id; made when it is first asked for. */
  readonly log: Logger
  /** Aborts when the client goes away; made when it is first asked for. */
  readonly signal: AbortSignal
}

export interface RawReply {
  /**
   * Sends the reply, once. Header names in lower case; ours (request id, security headers) are added where they are not
   * given. `content-length` is counted here. A header that HTTP cannot carry becomes a 500 problem document.
   */
  readonly send: (status: number, headers: { readonly [name: string]: string | readonly string[] }, body: string | Buffer | null) => void
  /** Sends the problem document of an error; anything but a `Problem` is logged and becomes `internal.unexpected`. */
  readonly fail: (error: unknown) => void
}

/**
 * A route that reads the raw body and answers in its own form: a webhook, a metrics page, a stream of files. It has what
 * every route has (request id, security headers, limits, load shedding, problem documents, metrics, an entry in OpenAPI)
 * and nothing else: no sign-in, no schemas, no `Ctx`. Make one with `app.context` or `app.asSystem` where it is needed.
 */
export interface RawRoute {
  readonly raw: true
  readonly methods: readonly RawMethod[]
  /** From the root, not below `/api/v1`. May end in `/*`. */
  readonly path: string
  readonly summary: string
  readonly description?: string
  readonly body_limit_bytes?: number
  /** Answered also while the server is overloaded, and logged at `debug`: a health check. */
  readonly never_shed?: true
  /** Logged at `debug` unless it fails: what comes in masses and leaves a record of its own. */
  readonly quiet?: true
  /**
   * Honours `Idempotency-Key` where the method may change something. The key belongs to the method and the path, whoever sends it: the
   * first reply is given again for 24 hours. A problem is given again only when it is `final`. The reply must be text.
   */
  readonly idempotent?: true
  /** What can come back, for OpenAPI. */
  readonly replies: {
    readonly [status: number]: { readonly description: string; readonly content_type?: string; readonly schema?: TSchema }
  }
  readonly errors?: OrdinaryRoute['errors']
  /** Throws or rejects for who is not to be let in: before anything is done, and before a stored reply is given again. Undefined where nothing is to be waited for. */
  readonly admit?: (app: App, request: RawRequest) => Promise<void> | undefined
  /** Answers through `reply`, at once or later. A promise that rejects is answered as `reply.fail` would. */
  readonly handle: (app: App, request: RawRequest, reply: RawReply) => void | Promise<void>
}

export const rawRoute = (declaration: Omit<RawRoute, 'raw'>): RawRoute => ({ ...declaration, raw: true })

export const isRaw = (candidate: Route): candidate is RawRoute => 'raw' in candidate

const isReply = Symbol('reply')

/** An answer with a status, headers or cookies of its own. */
export interface Reply<Body> {
  readonly [isReply]: true
  readonly status: number
  readonly body: Body
  readonly headers?: { readonly [name: string]: string }
  readonly cookies?: readonly Cookie[]
}

/** Set when `value` is a string, removed when it is null. Always HttpOnly, Secure when `PUBLIC_URL` is https, and SameSite=Strict unless told. */
export interface Cookie {
  readonly name: string
  readonly value: string | null
  readonly path: string
  readonly max_age_s?: number
  /** Sent also when another site's page leads here, by a link or a redirect; never with its forms and scripts. */
  readonly same_site?: 'lax'
}

export const reply = <Body>(answer: Omit<Reply<Body>, typeof isReply>): Reply<Body> => ({ ...answer, [isReply]: true })

export const isReplyValue = (value: unknown): value is Reply<unknown> => typeof value === 'object' && value !== null && isReply in value

const isStreamed = Symbol('streamed')

/** An answer that goes out in parts, as they are made: an export that no memory has to hold whole. */
export interface Streamed {
  readonly [isStreamed]: true
  readonly headers: { readonly [name: string]: string }
  /** Asked for the next part when the client has taken the one before; `return` is called when the client goes away. */
  readonly parts: AsyncIterable<string>
}

/**
 * Answers 200 in parts. What fails before the first part is answered as a problem; after it, the connection is cut, so that nobody takes
 * what came for the whole.
 */
export const streamed = (answer: Omit<Streamed, typeof isStreamed>): Streamed => ({ ...answer, [isStreamed]: true })

export const isStreamedValue = (value: unknown): value is Streamed => typeof value === 'object' && value !== null && isStreamed in value
