import type { Headers } from './headers.ts'

const allowed_headers =
  'authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, traceparent, x-api-key, x-request-id, x-workspace-id'
const exposed_headers = 'etag, idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id'

export interface Cors {
  /** What every reply carries, for a request that came from `origin`. */
  readonly headers: (origin: string | undefined) => Headers
  /** What a preflight is answered with, besides. */
  readonly preflight: (origin: string | undefined, methods: string) => Headers
}

/** CORS by allow-list (Fetch standard, section 3.2). Null when no foreign origin may call: then no header is needed either. */
export const corsOf = (origins: readonly string[]): Cors | null => {
  if (origins.length === 0) return null
  const list = new Set(origins.map((origin) => origin.trim().replace(/\/+$/, '').toLowerCase()))
  const permits = (origin: string | undefined): origin is string => origin !== undefined && list.has(origin.toLowerCase())
  const vary = { vary: 'origin' }
  return {
    headers: (origin) =>
      permits(origin)
        ? {
            'access-control-allow-origin': origin,
            'access-control-allow-credentials': 'true',
            'access-control-expose-headers': exposed_headers,
            vary: 'origin',
          }
        : vary,
    preflight: (origin, methods) =>
      permits(origin)
        ? {
            'access-control-allow-methods': methods,
            'access-control-allow-headers': allowed_headers,
            'access-control-max-age': '600',
          }
        : {},
  }
}
