import { createHash } from 'node:crypto'

/**
 * A UUIDv7 made from another one and from texts: the same each time, and of the same time (RFC 9562, section 5.7), so that what is kept by time
 * lies together.
 */
export const derivedId = (source: string, ...parts: readonly string[]): string => {
  const bytes = createHash('sha256')
    .update(JSON.stringify([source, ...parts]))
    .digest()
    .subarray(0, 16)
  Buffer.from(source.replaceAll('-', ''), 'hex').copy(bytes, 0, 0, 6)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
