import type { Failure } from '../graph/failure.ts'
import type { JsonObject } from '../../lib/json.ts'
import { faultFailure } from '../compile.ts'
import { ConfigFault } from '../expression/config.ts'
import { again_code, asleep_code } from '../graph/plan.ts'
import { type EffectNode, Later, NodeFailure, type NodeInput, type NodeIo, type NodeResult } from '../node.ts'

type StepFailure = Failure & { readonly details: JsonObject | null }

export type Attempt = { readonly ok: true; readonly result: NodeResult } | { readonly ok: false; readonly failure: StepFailure }

/** What an error means for the step. Only a `NodeFailure` speaks for itself; anything else is a fault of the node type and says little. */
export const failureOf = (error: unknown): StepFailure => {
  if (error instanceof Later) return again(error)
  return failed(error instanceof ConfigFault ? faultFailure(error) : error)
}

const again = ({ ms, asleep }: Later): StepFailure => ({
  code: asleep ? asleep_code : again_code,
  message: 'The node is to be run again later',
  retryable: true,
  retry_after_ms: null,
  again_in_ms: ms,
  details: null,
})

const failed = (error: unknown): StepFailure =>
  error instanceof NodeFailure
    ? { code: error.code, message: error.message, retryable: error.retryable, retry_after_ms: error.retry_after_ms, details: error.details }
    : {
        code: 'node.unexpected',
        message: 'The node failed in a way it does not describe',
        retryable: false,
        retry_after_ms: null,
        details: null,
      }

export const timedOut = (timeout_ms: number): StepFailure => ({
  code: 'node.timeout',
  message: `The step took longer than ${timeout_ms} ms`,
  retryable: true,
  retry_after_ms: null,
  details: null,
})

/**
 * One attempt of an effect. Over its time it fails with `node.timeout`, which may be tried again, even when the node type ignores
 * its signal; what it returns later counts for nothing. Null: `abandon` was aborted, and nobody wants an answer any more.
 */
export const attemptEffect = async (input: {
  readonly node: EffectNode
  readonly input: NodeInput<unknown>
  readonly io: Omit<NodeIo, 'signal'>
  readonly timeout_ms: number
  readonly abandon: AbortSignal
}): Promise<Attempt | null> => {
  const time = new AbortController()
  const over = Promise.withResolvers<Attempt | null>()
  const end = (answer: Attempt | null): void => {
    over.resolve(answer)
    time.abort()
  }
  const abandoned = (): void => end(null)
  const timer = setTimeout(() => {
    end({ ok: false, failure: timedOut(input.timeout_ms) })
  }, input.timeout_ms)
  input.abandon.addEventListener('abort', abandoned, { once: true })
  try {
    const run = input.node.run(input.input as NodeInput<never>, { ...input.io, signal: time.signal })
    const settled = run.then(
      (result): Attempt => ({ ok: true, result }),
      (error: unknown): Attempt => ({ ok: false, failure: failureOf(error) }),
    )
    return await Promise.race([settled, over.promise])
  } catch (error) {
    return { ok: false, failure: failureOf(error) }
  } finally {
    clearTimeout(timer)
    input.abandon.removeEventListener('abort', abandoned)
  }
}
