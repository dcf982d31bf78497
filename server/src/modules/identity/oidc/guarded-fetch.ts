import type { Outbound } from '../../../platform/outbound/outbound.ts'

export interface FetchOptions {
  readonly method: string
  readonly headers: { readonly [name: string]: string }
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

export type Fetch = (url: string, options: FetchOptions) => Promise<Response>

const max_bytes = 1_048_576
/** RFC 9110: replies of these statuses have no body, and `Response` takes none. */
const bodiless = new Set([204, 205, 304])

/** The guarded client in the form of `fetch`: no redirects, a time-out and at most a mebibyte for each answer. Throws what `Outbound` does. */
export const guardedFetch =
  (outbound: Outbound, timeout_ms = 10_000): Fetch =>
  async (url, { method, headers, body, signal }) => {
    const text = typeof body === 'string' ? body : body instanceof URLSearchParams ? body.toString() : null
    const answer = await outbound.request({
      method,
      url,
      headers,
      body: text,
      timeout_ms,
      max_bytes,
      max_redirects: 0,
      ...(signal ? { signal } : {}),
    })
    const given = Object.entries(answer.headers).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' ? [[name, value]] : [],
    )
    return new Response(bodiless.has(answer.status) ? null : answer.body, { status: answer.status, headers: given })
  }
