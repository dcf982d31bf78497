import { createHash } from 'node:crypto'

/** What tells some bytes from others; whoever refers to a blob keeps it. */
export interface Digest {
  /** In bytes. */
  readonly size: number
  /** In hex. */
  readonly sha256: string
}

export const digestOf = (bytes: Uint8Array): Digest => ({
  size: bytes.byteLength,
  sha256: createHash('sha256').update(bytes).digest('hex'),
})

/**
 * Bytes under keys, for what is too large for a row. A key is made of lower-case letters, digits, `-` and `_`, in parts between slashes: what
 * comes before a slash is a folder. Bytes under a key never change: whoever may have others to keep makes the digest part of the key.
 */
export interface BlobStore {
  /** Resolves when a crash cannot lose it. Until then nothing is there under the key, or all of it. */
  readonly put: (key: string, bytes: Uint8Array) => Promise<void>
  /** Rejects with `blobs.missing`, `blobs.damaged` where it is not what the digest says, or `blobs.unavailable`. */
  readonly get: (key: string, digest: Digest) => Promise<Buffer>
  /** Removes a folder with all that is in it, or one blob; also one that is not there. */
  readonly remove: (prefix: string) => Promise<void>
  /** What is directly in a folder, in no order. */
  readonly list: (folder: string) => Promise<readonly Listed[]>
}

export interface Listed {
  readonly name: string
  /** Unix milliseconds. Of a folder: when something was put into it, or removed. */
  readonly changed_at: number
}
