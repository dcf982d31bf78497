import ipaddr from 'ipaddr.js'

export type Address = ipaddr.IPv4 | ipaddr.IPv6

/**
 * Reads an address as a resolver or a socket gives it; an IPv4 address mapped into IPv6 is the IPv4 address it reaches. Null
 * also for the abandoned "IPv4-compatible" spelling `::1.2.3.4`, which ipaddr.js takes for the mapped one.
 */
export const parseAddress = (text: string): Address | null => (ipaddr.isValid(text) && !/^::\d+\./.test(text) ? ipaddr.process(text) : null)

const globalUnicast = ipaddr.IPv6.parse('2000::')
const nat64 = ipaddr.IPv6.parse('64:ff9b::')
/** Azure's host agent: an address of a public range that means the machine's own host. */
const azureHost = '168.63.129.16'

/**
 * Whether an address belongs to the public internet. Everything with a special purpose (IANA's registries) is not:
 * loopback, private, shared, link-local, multicast, benchmarking, documentation, reserved, and the IPv6 forms that carry an
 * IPv4 address inside. The well-known NAT64 prefix is judged by the address it leads to, since hosts on IPv6-only
 * networks reach all of IPv4 through it; its local-use prefix, 6to4 and Teredo are refused whole.
 */
export const isPublicAddress = (address: Address): boolean => {
  if (address.kind() === 'ipv4') return address.range() === 'unicast' && address.toString() !== azureHost
  if (address.match(nat64, 96)) return isPublicAddress(ipaddr.fromByteArray(address.toByteArray().slice(12)))
  return address.match(globalUnicast, 3) && address.range() === 'unicast'
}
