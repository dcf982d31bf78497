import type { Exchange } from './exchange.ts'
import { httpErrors } from './errors.ts'
import type { House } from './house.ts'
import { isCrowded } from './connections.ts'

const plainHost = /^(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9.])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i

/** What is asked of every request before anything is done for it. Throws the problem that refuses it. */
export const guard = (house: House, exchange: Exchange, never_shed: boolean): void => {
  const { headers, rawHeaders } = exchange.incoming
  const { host } = headers
  if (host === undefined) {
    if (exchange.incoming.httpVersion !== '1.0') throw httpErrors.malformed_request({ detail: 'The Host header is missing.' })
  } else if (host !== house.last_host) {
    if (host.length > 260 || !plainHost.test(host)) throw httpErrors.malformed_request({ detail: 'The Host header is not valid.' })
    house.last_host = host
  }
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts > 1) throw httpErrors.malformed_request({ detail: 'There is more than one Host header.' })
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') throw httpErrors.expectation_failed()
  if (isCrowded(exchange.incoming))
    throw httpErrors.overloaded({ detail: 'Wait for replies before you send more.', headers: { 'retry-after': '1' } })
  if (!never_shed && house.load.overloaded()) throw httpErrors.overloaded({ headers: { 'retry-after': '1' } })
}
