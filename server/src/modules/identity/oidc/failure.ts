import * as oidc from 'openid-client'
import type { App } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { errors } from './errors.ts'

/** What is wrong with an answer that the library let pass. */
export class NotProven extends Error {}

/** A failure at a provider as what the caller is told, with the reason in the log. `discovering`: nothing was asked of it yet. */
export const failed = (app: App, provider: string, error: unknown, discovering = false): Problem => {
  const problem = problemOf(error, discovering)
  // The messages are the library's own; what the provider sent may hold tokens and stays out of the log.
  const { code, error: said, message } = error as { readonly code?: unknown; readonly error?: unknown; readonly message?: unknown }
  app.log.warn({ provider, reason: message, code, said, cause: transportOf(error)?.message }, 'a sign-in with a provider failed')
  return problem
}

const problemOf = (error: unknown, discovering: boolean): Problem => {
  if (error instanceof oidc.AuthorizationResponseError) {
    if (error.error === 'access_denied') return errors.provider_denied()
    const passing = error.error === 'server_error' || error.error === 'temporarily_unavailable'
    return passing ? errors.provider_unavailable() : errors.provider_failed()
  }
  return discovering || transportOf(error) !== null || statusOf(error) >= 500 ? errors.provider_unavailable() : errors.provider_failed()
}

/** What the guarded client threw, below what the library made of it. */
const transportOf = (error: unknown): Error | null => {
  if (!(error instanceof Error)) return null
  const is_transport = error instanceof Problem || error.name === 'TimeoutError' || error.name === 'AbortError'
  return is_transport ? error : transportOf(error.cause)
}

const statusOf = (error: unknown): number => {
  if (error instanceof Response) return error.status
  if (!(error instanceof Error)) return 0
  return 'status' in error && typeof error.status === 'number' ? error.status : statusOf(error.cause)
}
