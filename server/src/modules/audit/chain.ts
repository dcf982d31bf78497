import { createHash } from 'node:crypto'

/** The chain of what belongs to no workspace. */
export const installation_chain = '00000000-0000-0000-0000-000000000000'

/** What the first entry of a chain has instead of the hash of the one before. */
export const genesis = '0'.repeat(64)

/** An entry as it is stored, its JSON as the text that was stored. */
export interface StoredEntry {
  readonly chain: string
  readonly seq: number
  readonly id: string
  /** ISO 8601, UTC, with milliseconds. */
  readonly at: string
  readonly action: string
  readonly actor_type: string
  readonly actor_id: string | null
  readonly impersonator_id: string | null
  readonly target_type: string | null
  readonly target_id: string | null
  readonly request_id: string | null
  readonly salt: string | null
  readonly address: string | null
  readonly user_agent: string | null
  readonly data: string | null
  readonly before: string | null
  readonly after: string | null
  readonly erased_at: string | null
  readonly content_hash: string
  readonly previous_hash: string
  readonly hash: string
}

/** Where a chain ends. */
export interface Head {
  readonly chain: string
  readonly seq: number
  readonly hash: string
}

/**
 * The text that is digested: for each field its length in bytes of UTF-8, a colon, the field, a comma (a netstring); `-,` for null. Two
 * different lists of fields never have the same text.
 */
const encoded = (fields: readonly (string | number | null)[]): string =>
  fields.map((field) => (field === null ? '-,' : `${Buffer.byteLength(String(field))}:${field},`)).join('')

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** SHA-256, in lower-case hex, of what an entry says of a person and of what changed, together with its salt. */
export const contentHashOf = (entry: StoredEntry): string =>
  sha256(encoded([entry.salt, entry.address, entry.user_agent, entry.data, entry.before, entry.after]))

/** SHA-256, in lower-case hex, of all that an entry says and of the entry before it. Changing the list makes a new format: give it a new name. */
export const hashOf = (entry: StoredEntry): string =>
  sha256(
    encoded([
      'millrace-audit-1',
      entry.chain,
      entry.seq,
      entry.id,
      entry.at,
      entry.action,
      entry.actor_type,
      entry.actor_id,
      entry.impersonator_id,
      entry.target_type,
      entry.target_id,
      entry.request_id,
      entry.content_hash,
      entry.previous_hash,
    ]),
  )
