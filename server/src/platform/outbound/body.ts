import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib'
import { errors } from './errors.ts'

type Decompress = (input: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>

const inflateAny: Decompress = (input, options) =>
  // "deflate" means the zlib format, and some servers send the bare one: the low nibble of a zlib header is 8 (RFC 1950).
  ((input[0] ?? 0) & 0x0f) === 8 ? promisify(inflate)(input, options) : promisify(inflateRaw)(input, options)

const decompressors: { readonly [coding: string]: Decompress | undefined } = {
  __proto__: null as never,
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: inflateAny,
  br: promisify(brotliDecompress),
}

export const acceptedCodings = 'gzip, deflate, br'

const tooLarge = (max_bytes: number): Error => errors.too_large({ detail: `The answer has more than ${max_bytes} bytes.` })

/** Reads a stream of at most `max_bytes`; one byte more and the connection is given up. */
export const readAll = async (stream: AsyncIterable<Buffer>, max_bytes: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > max_bytes) throw tooLarge(max_bytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

/** Undoes `Content-Encoding`, each layer held to `max_bytes` as well, so that a small answer cannot unpack into a large one. */
export const decode = async (body: Buffer, encoding: string, max_bytes: number): Promise<Buffer> => {
  const codings = encoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity')
  if (codings.length > 2) throw errors.bad_response({ detail: 'The answer is compressed more than twice.' })
  let result = body
  for (const coding of codings.toReversed()) {
    const decompress = decompressors[coding]
    if (decompress === undefined) throw errors.bad_response({ detail: 'The answer is in a content encoding that was not asked for.' })
    try {
      result = await decompress(result, { maxOutputLength: max_bytes })
    } catch (cause) {
      if (cause instanceof RangeError && 'code' in cause && cause.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(max_bytes)
      throw errors.bad_response({ detail: `The answer is not valid ${coding}.`, cause })
    }
  }
  return result
}
