/** Longer is no address: something that a proxy passed on without looking. */
const longest = 64

/** What counts as one place: an IPv4 address, and of IPv6 the first 64 bits, of which one person has all. Empty for no address. */
export const networkOf = (address: string | null): string => placeOf(address).slice(0, longest)

const placeOf = (address: string | null): string => {
  if (address === null || !address.includes(':')) return address ?? ''
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1)
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length
  return [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...rest]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
