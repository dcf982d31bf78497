import type { Entry } from './schema.ts'

/** How entries are written down: what comes first, and one line for each. */
export interface ExportForm {
  readonly content_type: string
  readonly head: string
  readonly line: (entry: Entry) => string
}

const columns = [
  'at',
  'action',
  'actor_type',
  'actor_id',
  'actor_name',
  'impersonator_id',
  'impersonator_name',
  'target_type',
  'target_id',
  'address',
  'user_agent',
  'request_id',
  'data',
  'before',
  'after',
  'workspace_id',
  'id',
  'seq',
  'erased_at',
  'previous_hash',
  'hash',
] as const satisfies readonly (keyof Entry)[]

/** RFC 4180. JSON stays JSON. */
export const csv: ExportForm = {
  content_type: 'text/csv; charset=utf-8; header=present',
  head: `${columns.join(',')}\r\n`,
  line: (entry) => `${columns.map((column) => cell(entry[column])).join(',')}\r\n`,
}

/** https://github.com/ndjson/ndjson-spec */
export const ndjson: ExportForm = {
  content_type: 'application/x-ndjson; charset=utf-8',
  head: '',
  line: (entry) => `${JSON.stringify(Object.fromEntries(columns.map((column) => [column, entry[column]])))}\n`,
}

/**
 * A spreadsheet takes a cell that begins with one of these for a formula, and what stands in an entry was chosen by whoever acted; the
 * apostrophe makes it text. https://owasp.org/www-community/attacks/CSV_Injection
 */
const formula = /^[=+\-@\t\r\n＝＋－＠]/

const cell = (value: Entry[keyof Entry]): string => {
  if (value === null || value === undefined) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  const safe = formula.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
