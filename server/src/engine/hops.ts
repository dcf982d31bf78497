import type { Json } from '../lib/json.ts'
import { isJsonObject } from '../lib/json.ts'
import { hops_header, readHops } from '../platform/http/hops.ts'

/** Workflows in a row. Nobody means to have as many; and of a circle in which each starts two others, this makes a thousand. */
export const most_hops = 10

/** The field that says so in the payload of a trigger that is no request. */
export const hops_field = 'millrace_hops'

/** How many workflows came before the execution that this payload started. */
export const hopsOf = (payload: Json): number => {
  if (!isJsonObject(payload)) return 0
  const { headers, [hops_field]: hops } = payload
  if (typeof hops === 'number') return hops
  return isJsonObject(headers) ? readHops(headers[hops_header]) : 0
}
