import type { Problem } from '../errors.ts'

export interface ProblemPlace {
  /** Without a trailing slash. */
  readonly public_url: string
  readonly request_id: string
  readonly trace_id: string | null
  /** Without the query, which may hold secrets. */
  readonly path: string
  readonly method: string
}

/**
 * The problem document of RFC 9457, with the members that older clients read: `success`, `error`, `error_type`,
 * `status_code`, `path`, `method`.
 */
export const problemDocument = (problem: Problem, place: ProblemPlace): { readonly [member: string]: unknown } => {
  const { status, title, type } = problem.declaration
  const detail = problem.details.detail ?? title
  return {
    ...problem.details.extra,
    type: type ?? errorPage(place.public_url, problem.code),
    title,
    status,
    detail,
    instance: place.path,
    code: problem.code,
    request_id: place.request_id,
    ...(place.trace_id === null ? {} : { trace_id: place.trace_id }),
    ...(problem.details.errors === undefined ? {} : { errors: problem.details.errors }),
    success: false,
    error: detail,
    error_type: problem.code,
    status_code: status,
    path: place.path,
    method: place.method,
  }
}

export const errorPage = (public_url: string, code: string): string => `${public_url}/docs/errors/${code}`
