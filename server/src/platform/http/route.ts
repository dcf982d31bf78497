import type { Static, TObject, TSchema } from 'typebox'
import type { Ctx } from '../context.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What a handler may know of the request beyond its validated input. */
export interface RequestFacts {
  readonly ip: string
  readonly user_agent: string | null
  readonly headers: { readonly [name: string]: string | string[] | undefined }
  readonly cookies: { readonly [name: string]: string | undefined }
  /** The revision named by `If-Match`, or null. Pass it on to the store: 412 `http.precondition_failed` when it is stale. */
  readonly if_match: number | null
}

export interface RatePolicy {
  readonly name: string
  readonly quota: number
  readonly window_s: number
  /** What shares the quota: the caller's address, or the signed-in user. */
  readonly per: 'address' | 'user'
}

/** Who may call: a declared permission, anyone, or anyone who is signed in. */
export type Allow = 'public' | 'signed_in' | `${string}:${string}`

export type Replies = { readonly [status: number]: TSchema }

type In<S> = S extends TSchema ? Static<S> : undefined
type Success<R extends Replies> = { [Status in keyof R]: R[Status] extends TSchema ? Static<R[Status]> : never }[keyof R]

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
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  readonly body_limit_bytes?: number
  /** Success replies by status. The first one is used unless the handler answers with `reply()`. Problems need no mention. */
  readonly replies: R
  /** Codes of the errors this route throws beyond the general ones, for OpenAPI. */
  readonly errors?: readonly { readonly code: string; readonly declaration: { readonly status: number; readonly title: string } }[]
  /** The reply is one object with a `revision`: it becomes the ETag, `If-None-Match` is answered with 304, `If-Match` is parsed. */
  readonly etag?: true
  /** POST only: honours `Idempotency-Key`. */
  readonly idempotent?: true
  readonly limits?: readonly RatePolicy[]
  readonly handler: (
    ctx: Ctx,
    input: RouteInput<P, Q, B>,
  ) => Success<R> | Reply<Success<R>> | Promise<Success<R> | Reply<Success<R>>>
}

// A list of routes with different schemas needs one type; the handler's own input was checked where the route was written.
// oxlint-disable-next-line typescript/no-explicit-any
export type Route = RouteDeclaration<any, any, any, any>

export const route = <
  R extends Replies,
  P extends TObject | undefined = undefined,
  Q extends TObject | undefined = undefined,
  B extends TSchema | undefined = undefined,
>(
  declaration: RouteDeclaration<P, Q, B, R>,
): Route => declaration

const isReply = Symbol('reply')

/** An answer with a status, headers or cookies of its own. */
export interface Reply<Body> {
  readonly [isReply]: true
  readonly status: number
  readonly body: Body
  readonly headers?: { readonly [name: string]: string }
  readonly cookies?: readonly Cookie[]
}

/** Set when `value` is a string, removed when it is null. Always HttpOnly, SameSite=Strict, Secure when `PUBLIC_URL` is https. */
export interface Cookie {
  readonly name: string
  readonly value: string | null
  readonly path: string
  readonly max_age_s?: number
}

export const reply = <Body>(answer: Omit<Reply<Body>, typeof isReply>): Reply<Body> => ({ ...answer, [isReply]: true })

export const isReplyValue = (value: unknown): value is Reply<unknown> =>
  typeof value === 'object' && value !== null && isReply in value
