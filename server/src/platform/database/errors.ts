import { defineErrors } from '../errors.ts'

export const errors = defineErrors('database', {
  unavailable: {
    status: 503,
    title: 'The database cannot be reached.',
    doc: 'The server lost its database and it did not come back within a few seconds. Nothing was written; try again.',
  },
  busy: {
    status: 503,
    title: 'The database is busy.',
    doc: 'No connection became free in time. Nothing was written; try again after the seconds in `Retry-After`.',
  },
  outcome_unknown: {
    status: 503,
    title: 'The connection was lost while the change was being committed.',
    doc: 'The change may or may not have been made. Look before you try again, or repeat it with the same `Idempotency-Key`.',
  },
  conflict: {
    status: 503,
    title: 'The change kept colliding with others.',
    doc: 'It was tried several times and each time another change got in its way. Nothing was written; try again.',
  },
})

const lost = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  // admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections
  '57P01',
  '57P02',
  '57P03',
  '53300',
])

export const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}

/** The server is away, or the connection to it went; as opposed to a statement that PostgreSQL refused. */
export const isConnectionLoss = (error: unknown): boolean => {
  const code = codeOf(error)
  return code !== undefined && (lost.has(code) || code.startsWith('08'))
}

/** Another transaction was in the way; the same work may well succeed on the next try. */
export const isCollision = (error: unknown): boolean => {
  const code = codeOf(error)
  if (code === '40001' || code === '40P01') return true
  // A migration changed a table under a prepared statement; the driver has forgotten the old plan by now.
  return code === '0A000' && (error as { routine?: unknown }).routine === 'RevalidateCachedQuery'
}

/** Sending the same thing again may help, also after a read has run out of its own patience. */
export const isTransient = (error: unknown): boolean =>
  isConnectionLoss(error) || isCollision(error) || codeOf(error) === errors.unavailable().code

export const unavailable = (cause: unknown): Error => errors.unavailable({ cause, headers: { 'retry-after': '1' } })
