/** A mistake in a definition. */
export interface Problem {
  readonly node_id?: string
  /** JSON Pointer (RFC 6901) into the definition. */
  readonly path: string
  readonly severity: 'error' | 'warning'
  readonly message: string
}

/** Ends the check, by not coming back, when more is wrong than is listed. */
export type Report = (problem: Problem) => void
