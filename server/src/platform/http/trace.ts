const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/

/** The trace id of a `traceparent` header (W3C Trace Context, section 3.2), or null when it has none that is valid. */
export const readTraceId = (header: string | undefined): string | null => {
  if (header === undefined || header.startsWith('ff')) return null
  const id = traceparent.exec(header)?.[1]
  return id === undefined || id === '00000000000000000000000000000000' ? null : id
}

const safeId = /^[\w.~:-]{1,128}$/

/** A request id from outside, when it can stand in logs and headers as it is. */
export const readRequestId = (header: string | string[] | undefined): string | null =>
  typeof header === 'string' && safeId.test(header) ? header : null
