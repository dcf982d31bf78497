import { lookup as systemLookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { buildConnector, Pool } from 'undici'
import { isPublicAddress, parseAddress } from './address.ts'
import { hostKey, type AllowList } from './allow.ts'
import { errors } from './errors.ts'

/** All addresses of a name. Tests hand in one that lies. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

export const systemResolve: Resolve = (host) => systemLookup(host, { all: true, order: 'verbatim' })

/**
 * Ports that no web service uses and whose own protocol might act on the lines of an HTTP request: the "bad ports" of the
 * Fetch standard (section 2.9, port blocking).
 */
const badPorts = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117,
  119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636,
  989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
])

/** May a socket for this host be connected to this address? Says nothing of the address: inside names stay unknown outside. */
const check = (allow: AllowList, host: string, port: number, address: string | undefined): void => {
  if (checkAddress(allow, host, port, address) === 'public' && badPorts.has(port))
    throw errors.refused_address({ detail: `Port ${port} is not one that this server calls.` })
}

const checkAddress = (allow: AllowList, host: string, port: number, address: string | undefined): 'allowed' | 'public' => {
  if (allow.name(host, port)) return 'allowed'
  const parsed = address === undefined ? null : parseAddress(address)
  if (parsed !== null && allow.address(parsed, port)) return 'allowed'
  if (parsed !== null && isPublicAddress(parsed)) return 'public'
  throw errors.refused_address({ detail: `${host} is at an address that this server does not call.` })
}

/** The address of a host, if each of its addresses may be called: for a protocol that is not HTTP, whose ports are its own. */
export const checkedAddress = async (allow: AllowList, host: string, port: number, resolve: Resolve): Promise<string> => {
  const key = hostKey(host)
  const addresses = parseAddress(key) === null ? (await resolve(key)).map(({ address }) => address) : [key]
  for (const address of addresses) checkAddress(allow, key, port, address)
  const [first] = addresses
  if (first === undefined) throw errors.connect_failed({ detail: `${host} has no address.` })
  return first
}

/** Resolves and checks in one step, for one socket: what was checked is what is connected, so a second answer cannot differ. */
const guardedLookup =
  (allow: AllowList, port: number, resolve: Resolve): LookupFunction =>
  (host, options, callback) => {
    const answer = (addresses: Awaited<ReturnType<Resolve>>): (() => void) => {
      for (const { address } of addresses) check(allow, host, port, address)
      const first = addresses[0]
      if (first === undefined) throw errors.connect_failed({ detail: `${host} has no address.` })
      return () => (options.all === true ? callback(null, [...addresses]) : callback(null, first.address, first.family))
    }
    resolve(host)
      .then(answer)
      .then(
        (send) => send(),
        (error: NodeJS.ErrnoException) => callback(error, ''),
      )
  }

/**
 * A connection pool for one origin whose every socket is checked: a name when it is resolved, an address written in the URL
 * before it is connected (it passes no resolver), and any of them once more by what the socket says it is connected to.
 */
export const guardedPool = (origin: URL, options: Pool.Options, allow: AllowList, resolve: Resolve): Pool => {
  const host = hostKey(origin.hostname)
  const port = Number(origin.port || (origin.protocol === 'https:' ? 443 : 80))
  const connect = buildConnector({ allowH2: false, timeout: 10_000, lookup: guardedLookup(allow, port, resolve) })
  return new Pool(origin, {
    ...options,
    connect: (target, callback) => {
      try {
        if (parseAddress(host) !== null) check(allow, host, port, host)
      } catch (error) {
        queueMicrotask(() => callback(error as Error, null))
        return
      }
      connect(target, (error, socket) => {
        if (error !== null) return callback(error, null)
        try {
          check(allow, host, port, socket.remoteAddress)
        } catch (refused) {
          socket.destroy()
          return callback(refused as Error, null)
        }
        return callback(null, socket)
      })
    },
  })
}
