import type { Json } from '../lib/json.ts'

/** What a module says of one of its errors. The code is `<prefix>.<key>`; the reference page is generated from this. */
export interface ErrorDeclaration {
  readonly status: number
  /** One constant sentence per code (RFC 9457 `title`). */
  readonly title: string
  readonly doc?: string
  /** A registered problem type; without one the type is this error's page below `PUBLIC_URL`. */
  readonly type?: string
}

export interface ProblemDetails {
  /** What happened this time, safe to show to the caller. */
  readonly detail?: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
  /** Further members of the problem document. */
  readonly extra?: { readonly [member: string]: Json }
  readonly headers?: { readonly [name: string]: string }
  /** What was asked for has been done and ended like this: a repetition with the same `Idempotency-Key` is told the same. */
  readonly final?: true
  /** Kept for the log, never sent. */
  readonly cause?: unknown
}

/** The one kind of error that reaches a client with its own words. Anything else becomes `internal.unexpected`. */
export class Problem extends Error {
  readonly code: string
  readonly declaration: ErrorDeclaration
  readonly details: ProblemDetails

  constructor(code: string, declaration: ErrorDeclaration, details: ProblemDetails = {}) {
    super(details.detail ?? declaration.title, { cause: details.cause })
    this.name = 'Problem'
    this.code = code
    this.declaration = declaration
    this.details = details
  }
}

export type ErrorFactory = ((details?: ProblemDetails) => Problem) & {
  readonly code: string
  readonly declaration: ErrorDeclaration
}

export type Errors<Key extends string = string> = { readonly [K in Key]: ErrorFactory }

/**
 * Declares a module's errors once: `const errors = defineErrors('auth', { invalid_credentials: { status: 401, title: '…' } })`,
 * then `throw errors.invalid_credentials()`. The stable code is `auth.invalid_credentials`.
 */
export const defineErrors = <const Key extends string>(
  prefix: string,
  declarations: { readonly [K in Key]: ErrorDeclaration },
): Errors<Key> => {
  const entries = Object.entries<ErrorDeclaration>(declarations).map(([key, declaration]) => {
    const code = `${prefix}.${key}`
    const make = (details?: ProblemDetails): Problem => new Problem(code, declaration, details)
    return [key, Object.assign(make, { code, declaration })] as const
  })
  return Object.fromEntries(entries) as Errors<Key>
}
