/**
 * Says with a request from a workflow how many workflows of this installation led to it, one by the other. Without it, two that start each
 * other by mistake would go on for ever, and a hundred at a time (the same idea as CDN-Loop, RFC 8586).
 */
export const hops_header = 'millrace-hops'

/** What a header says, from 0; what is no number counts as none. */
export const readHops = (header: unknown): number => (typeof header === 'string' && /^\d{1,4}$/.test(header) ? Number(header) : 0)
