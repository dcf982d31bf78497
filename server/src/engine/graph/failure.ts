import type { Json } from '../../lib/json.ts'
import type { OnError, Retry } from './definition.ts'

export interface Failure {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  /** What the other side asked for, in milliseconds. */
  readonly retry_after_ms: number | null
  /** The node asked for another turn after this time, in milliseconds: no failure, so nothing limits how often. */
  readonly again_in_ms?: number
}

export type FailureDecision =
  | { readonly kind: 'retry'; readonly retry_at: number }
  /** The node leaves like one that succeeded. */
  | { readonly kind: 'leave'; readonly port: string; readonly output: Json }
  | { readonly kind: 'fail' }

/** Nobody may ask us to wait longer than this. */
const longest_retry_after_ms = 24 * 60 * 60 * 1000

/** The pause after attempt `attempt` (1, 2, …), in milliseconds; `random` is from 0 up to 1. */
export const retryDelay = (retry: Retry, attempt: number, random: number): number => {
  const delay = retry.delay_ms ?? 1000
  const grown = retry.backoff === 'fixed' ? delay : delay * 2 ** Math.min(attempt - 1, 40)
  const capped = Math.min(grown, retry.max_delay_ms ?? 60 * 60 * 1000)
  const { jitter = true } = retry
  const part = typeof jitter === 'number' ? jitter : jitter ? 0.5 : 0
  return Math.round(capped * (1 - random * part))
}

/**
 * What a failed attempt leads to. `retry_if` is what the node's own condition said about this error: it decides alone where there is
 * one, otherwise `failure.retryable` does.
 */
export const decideFailure = (input: {
  readonly retry: Retry | null
  readonly on_error: OnError
  /** Failures in a row, this one included. */
  readonly attempt: number
  readonly failure: Failure
  readonly retry_if: boolean | null
  readonly now: number
  readonly random: number
}): FailureDecision => {
  const { retry, attempt, failure } = input
  if (failure.again_in_ms !== undefined) return { kind: 'retry', retry_at: input.now + failure.again_in_ms }
  if (retry && attempt < retry.max_attempts && (input.retry_if ?? failure.retryable)) {
    const asked = Math.min(failure.retry_after_ms ?? 0, longest_retry_after_ms)
    return { kind: 'retry', retry_at: input.now + Math.max(retryDelay(retry, attempt, input.random), asked) }
  }
  if (input.on_error === 'fail') return { kind: 'fail' }
  const output = { error: { code: failure.code, message: failure.message } }
  return { kind: 'leave', port: input.on_error === 'error' ? 'error' : 'out', output }
}
