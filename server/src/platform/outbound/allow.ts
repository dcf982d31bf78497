import ipaddr from 'ipaddr.js'
import { StartError } from '../start-error.ts'
import { parseAddress, type Address } from './address.ts'

/** The operator's exceptions to "public addresses only". */
export interface AllowList {
  /** The name itself is let through, wherever it resolves to. */
  readonly name: (host: string, port: number) => boolean
  readonly address: (address: Address, port: number) => boolean
}

interface Entry {
  readonly port: number | null
  readonly name: (host: string) => boolean
  readonly address: (address: Address) => boolean
}

const never = (): boolean => false

const parsePort = (text: string | undefined): number | null => {
  if (text === undefined) return null
  const port = Number(text)
  if (port < 1 || port > 65_535) throw new Error('the port is not between 1 and 65535')
  return port
}

const network = (base: Address, bits: number, port: number | null): Entry => ({
  port,
  name: never,
  address: (address) => address.kind() === base.kind() && address.match(base, bits),
})

const parseEntry = (text: string): Entry => {
  if (/\/\d+:\d+$/.test(text)) throw new Error('a network is named without a port')
  if (text.includes('/')) return network(...ipaddr.parseCIDR(text), null)
  if (ipaddr.IPv6.isValid(text)) return network(ipaddr.process(text), ipaddr.process(text).toByteArray().length * 8, null)
  const parts = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text)
  if (parts === null) throw new Error('it is neither a host, a host with a port, nor a network')
  const port = parsePort(parts[2])
  const wildcard = parts[1]?.startsWith('*.') === true
  // The URL parser decides what a host is here as it does for a request, so that both mean the same by a name.
  const host = hostKey(new URL(`http://${wildcard ? parts[1]?.slice(2) : parts[1]}/`).hostname)
  const address = parseAddress(host)
  if (address !== null) return network(address, address.toByteArray().length * 8, port)
  if (host.includes('*')) throw new Error('a star may only stand for the front of a name: *.example.com')
  return { port, name: wildcard ? (name) => name.endsWith(`.${host}`) : (name) => name === host, address: never }
}

/** A host as it is compared: lower case, no brackets, no trailing dot. */
export const hostKey = (host: string): string =>
  host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')

/** Reads `MILLRACE_OUTBOUND_ALLOW`. `StartError` that names every entry which cannot be read. */
export const parseAllowList = (texts: readonly string[]): AllowList => {
  const entries: Entry[] = []
  const mistakes: string[] = []
  for (const text of texts) {
    try {
      entries.push(parseEntry(text.trim()))
    } catch (error) {
      mistakes.push(`"${text}": ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (mistakes.length > 0) {
    throw new StartError(
      `MILLRACE_OUTBOUND_ALLOW cannot be read: ${mistakes.join('; ')}.`,
      'Name hosts, addresses and networks, separated by commas: `intranet.example`, `192.168.1.7:8080`, `10.20.0.0/16`.',
    )
  }
  const any = (port: number, match: (entry: Entry) => boolean): boolean =>
    entries.some((entry) => (entry.port === null || entry.port === port) && match(entry))
  return {
    name: (host, port) => any(port, (entry) => entry.name(hostKey(host))),
    address: (address, port) => any(port, (entry) => entry.address(address)),
  }
}
