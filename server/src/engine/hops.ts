import type { Json } from '../lib/json.ts'
import { isJsonObject } from '../lib/json.ts'

/**
 * Says with a request from a workflow how many workflows of this installation called each other by webhook before it. Without it, two that do
 * so by mistake would go on for ever, and a hundred at a time (the same idea as CDN-Loop, RFC 8586).
 */
export const hops_header = 'millrace-hops'

/** Webhooks in a row. Nobody means to have as many; and of a circle in which each calls two others, this makes a thousand. */
export const most_hops = 10

/** What a header says, from 0; what is no number counts as none. */
export const readHops = (header: unknown): number => (typeof header === 'string' && /^\d{1,4}$/.test(header) ? Number(header) : 0)

/** How many webhooks came before the execution that this payload started. */
export const hopsOf = (payload: Json): number => {
  const headers = isJsonObject(payload) ? payload['headers'] : undefined
  return isJsonObject(headers) ? readHops(headers[hops_header]) : 0
}
