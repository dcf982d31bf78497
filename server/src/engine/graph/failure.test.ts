import { expect, test } from 'vitest'
import type { Retry } from './definition.ts'
import { decideFailure, retryDelay } from './failure.ts'

const failure = { code: 'http.status', message: '503', retryable: true, retry_after_ms: null }
const decide = (input: Partial<Parameters<typeof decideFailure>[0]>) =>
  decideFailure({ retry: null, on_error: 'fail', attempt: 1, failure, retry_if: null, now: 10_000, random: 0, ...input })
const retry: Retry = { max_attempts: 3, backoff: 'fixed', delay_ms: 100, jitter: false }

test('a failure without a retry policy ends the execution, or leaves by the port the author chose', () => {
  expect(decide({})).toEqual({ kind: 'fail' })
  expect(decide({ on_error: 'continue' })).toEqual({
    kind: 'leave',
    port: 'out',
    output: { error: { code: 'http.status', message: '503' } },
  })
  expect(decide({ on_error: 'error' })).toMatchObject({ kind: 'leave', port: 'error' })
})

test('attempts are made until there are none left; then the last failure counts', () => {
  expect(decide({ retry, attempt: 2 })).toEqual({ kind: 'retry', retry_at: 10_100 })
  expect(decide({ retry, attempt: 3 })).toEqual({ kind: 'fail' })
  expect(decide({ retry, attempt: 3, on_error: 'error' })).toMatchObject({ kind: 'leave' })
})

test('a failure that trying again cannot help is not tried again, unless the author’s condition says so', () => {
  const hopeless = { ...failure, retryable: false }
  expect(decide({ retry, failure: hopeless })).toEqual({ kind: 'fail' })
  expect(decide({ retry, failure: hopeless, retry_if: true }).kind).toBe('retry')
  expect(decide({ retry, retry_if: false })).toEqual({ kind: 'fail' })
})

test('what the other side asks for is waited for, when it is longer than our own pause, and at most a day', () => {
  expect(decide({ retry, failure: { ...failure, retry_after_ms: 5000 } })).toEqual({ kind: 'retry', retry_at: 15_000 })
  expect(decide({ retry, failure: { ...failure, retry_after_ms: 5 } })).toEqual({ kind: 'retry', retry_at: 10_100 })
  expect(decide({ retry, failure: { ...failure, retry_after_ms: 1e15 } })).toEqual({ kind: 'retry', retry_at: 10_000 + 86_400_000 })
})

test('pauses double up to their limit, and jitter shortens them by half at most', () => {
  const growing: Retry = { max_attempts: 100, delay_ms: 1000, max_delay_ms: 6000, jitter: false }
  expect([1, 2, 3, 4, 99].map((attempt) => retryDelay(growing, attempt, 0.9))).toEqual([1000, 2000, 4000, 6000, 6000])
  const jittered: Retry = { max_attempts: 2, delay_ms: 1000 }
  expect([0, 0.5, 0.99].map((random) => retryDelay(jittered, 1, random))).toEqual([1000, 750, 505])
})

test('a delay is shortened by up to half, by up to a part that the author names, or not at all', () => {
  const delays = (jitter: Retry['jitter']) =>
    [0, 0.5, 1].map((random) => retryDelay({ max_attempts: 2, delay_ms: 1000, ...(jitter === undefined ? {} : { jitter }) }, 1, random))
  expect(delays(undefined)).toEqual([1000, 750, 500])
  expect(delays(true)).toEqual([1000, 750, 500])
  expect(delays(0.2)).toEqual([1000, 900, 800])
  expect(delays(1)).toEqual([1000, 500, 0])
  for (const none of [false, 0] as const) expect(delays(none)).toEqual([1000, 1000, 1000])
})

test('a node that asks for another turn gets it when it asks for it, however often and whatever its policy', () => {
  const again = { ...failure, again_in_ms: 30 * 86_400_000 }
  for (const attempt of [1, 50]) expect(decide({ failure: again, attempt })).toEqual({ kind: 'retry', retry_at: 10_000 + 30 * 86_400_000 })
  expect(decide({ retry, retry_if: false, failure: again })).toMatchObject({ kind: 'retry' })
})
