import { redactChange } from '../redact.ts'

/** What a change did: the fields that it touched, as they were and as they are. Either side may be missing: made, or removed. */
export interface Changes {
  readonly before?: object
  readonly after?: object
}

/** The longest JSON of one field, in characters, tried from the first on until the whole is short enough. */
const field_lengths = [4_096, 256, 0]
const total_length = 32_768
const most_fields = 100

/**
 * The JSON text of changes as an event records them: credentials masked by the names of their fields, and at most 32,768 characters. A
 * field that is too long says how long it was instead.
 */
export const recordedChanges = (changes: Changes): string => {
  const masked = { before: fieldsOf(changes.before), after: fieldsOf(changes.after) }
  for (const length of field_lengths) {
    const text = JSON.stringify({ before: shortened(masked.before, length), after: shortened(masked.after, length) })
    if (text.length <= total_length) return text
  }
  return JSON.stringify({ before: tooMany(masked.before), after: tooMany(masked.after) })
}

const fieldsOf = (side: object | undefined): readonly [string, unknown][] | undefined =>
  side === undefined ? undefined : Object.entries(redactChange(side) as object)

const shortened = (fields: readonly [string, unknown][] | undefined, length: number): object | undefined => {
  if (fields === undefined) return undefined
  const kept = fields.slice(0, most_fields).map(([name, value]): [string, unknown] => {
    const size = JSON.stringify(value)?.length ?? 0
    return [name, size > length ? `[${size} characters]` : value]
  })
  const left_out = fields.length - kept.length
  return Object.fromEntries(left_out === 0 ? kept : [...kept, ['…', `[${left_out} more fields]`]])
}

const tooMany = (fields: readonly [string, unknown][] | undefined): object | undefined => fields && { '…': `[${fields.length} fields]` }
