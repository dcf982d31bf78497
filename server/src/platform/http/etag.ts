import { httpErrors } from './errors.ts'

/** The strong validator of an object: its revision, quoted. */
export const etagOf = (revision: number): string => `"${revision}"`

/** Throws 412 `http.precondition_failed` when the object is not at the revision that `If-Match` named (null: any). */
export const requireRevision = (object: { readonly revision: number }, if_match: number | null): void => {
  if (if_match !== null && object.revision !== if_match)
    throw httpErrors.precondition_failed({ headers: { etag: etagOf(object.revision) } })
}

const ours = /^"([1-9][0-9]{0,9})"$/

/**
 * The revision that `If-Match` asks for; null when the header is absent or `*`. Weak validators never match (RFC 9110,
 * section 13.1.1), nor do those that we did not make: then the precondition has failed already. Of several revisions the
 * newest counts, since only one of them can be current.
 */
export const readIfMatch = (header: string | undefined): number | null => {
  if (header === undefined) return null
  const single = ours.exec(header)
  if (single !== null) return Number(single[1])
  if (header.trim() === '*') return null
  const revisions = header.split(',').flatMap((tag) => ours.exec(tag.trim())?.[1] ?? [])
  if (revisions.length === 0) throw httpErrors.precondition_failed({ detail: 'If-Match names no revision of this object.' })
  return Math.max(...revisions.map(Number))
}

/** Whether `If-None-Match` names this validator; weak comparison, as section 13.1.2 asks. */
export const noneMatch = (header: string | undefined, etag: string): boolean => {
  if (header === undefined) return true
  if (header.trim() === '*') return false
  return !header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
