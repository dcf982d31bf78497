/** A mistake in a definition. */
export interface Problem {
  readonly node_id?: string
  /** JSON Pointer (RFC 6901) into the definition. */
  readonly path: string
  readonly severity: 'error' | 'warning'
  readonly message: string
}

export type Report = (problem: Problem) => void
