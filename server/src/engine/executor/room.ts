import { jsonSize } from '../../lib/json-size.ts'
import type { Json } from '../../lib/json.ts'
import type { Run } from '../graph/plan.ts'
import { too_large_code } from '../graph/region.ts'
import type { Attempt } from './effect.ts'
import type { Live } from './live.ts'

/** Characters that the steps of one execution may give in all: they are held in memory for as long as it lasts. */
const most_given_chars = 64 * 1024 * 1024

/** From here on what is measured is remembered. */
const large_chars = 64 * 1024

const too_large = {
  code: too_large_code,
  message: `The steps give more than ${most_given_chars / 1024 / 1024} MiB in all`,
  details: null,
  retryable: false,
  retry_after_ms: null,
}

/**
 * The attempt, or its failure when what it gives is more than there is room for. A step that hands on what it was given, or merges
 * branches, does no work that would be charged for; yet in the journal it stands as if it had made all of it.
 */
export const withinRoom = (live: Live, run: Run, attempt: Attempt): Attempt => {
  if (!attempt.ok) return attempt
  const room = most_given_chars - live.given_chars
  const size = sizeOf(live, attempt.result.output, room)
  if (size === null || size > room) return { ok: false, failure: too_large }
  live.given_chars += size
  run.chars += size
  return attempt
}

const sizeOf = (live: Live, output: Json, most: number): number | null => {
  const known = typeof output === 'object' && output !== null ? live.large.get(output) : undefined
  if (known !== undefined) return known
  const size = jsonSize(output, most)
  if (size !== null && size > large_chars && typeof output === 'object' && output !== null) live.large.set(output, size)
  return size
}

/** A turn has ended: of all that it gave there stays what it ended with, or the error. */
export const turnEnded = (live: Live, run: Run, outer: Run): void => {
  const kept = run.failed === null ? (sizeOf(live, run.outputs[run.last] ?? null, most_given_chars) ?? 0) : run.failed.message.length + 100
  live.given_chars += kept - run.chars
  outer.chars += kept
}
