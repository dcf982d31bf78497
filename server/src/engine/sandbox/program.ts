/** What a program may take, and what it is run with. */
export interface Program {
  /** An ES module whose default export is a function. */
  readonly source: string
  /** JSON. */
  readonly input: string
  /** JSON; null: not sent, because most programs do not ask for it. */
  readonly context: string | null
  /** The time that it sees, Unix milliseconds. */
  readonly now: number
  /** Of `Math.random`: the same seed gives the same numbers. */
  readonly seed: Seed
  readonly timeout_ms: number
  readonly memory_mb: number
  /** Of the output as JSON. */
  readonly max_chars: number
}

/** Four unsigned 32-bit numbers, not all zero. */
export type Seed = readonly [number, number, number, number]

export type FailureCode = 'code.failed' | 'code.timeout' | 'code.memory' | 'code.output_too_large' | 'code.output_invalid'

/** Where in the source, from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface ProgramFailure {
  readonly code: FailureCode
  readonly message: string
  /** Of the error that was thrown: `TypeError`; null where none was. */
  readonly name: string | null
  readonly place: Place | null
  /** What it wrote with `console`, the first lines. */
  readonly logs: readonly string[]
}

export type Outcome =
  | { readonly kind: 'done'; readonly json: string }
  /** Its function has a second parameter, and `context` was null. */
  | { readonly kind: 'wants_context' }
  | { readonly kind: 'failed'; readonly failure: ProgramFailure }

/** A mistake of syntax. */
export interface SourceFault {
  readonly message: string
  readonly place: Place | null
}

/** What a thread of the sandbox is asked for. */
export type Task =
  | { readonly kind: 'run'; readonly program: Program }
  /** Answers for each source; undefined where the time was over before its turn. */
  | { readonly kind: 'parse'; readonly sources: readonly string[]; readonly timeout_ms: number }

export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'ran'; readonly outcome: Outcome }
  | { readonly kind: 'parsed'; readonly faults: readonly (SourceFault | null | undefined)[] }
