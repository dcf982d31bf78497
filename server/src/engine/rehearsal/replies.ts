import { Later, NodeFailure, type NodeIo, type NodeResult } from '../node.ts'
import type { Answer } from './answered.ts'
import type { TestCase, TestReply } from '../graph/test-case.ts'

/** What the effects of one run are answered with. */
export interface Replies {
  readonly answer: Answer
  /** Paths that there was no reply for, in their order. */
  readonly missing: readonly string[]
  /** Paths whose reply was not asked for. */
  readonly unused: () => readonly string[]
}

/** Between two tries at a sandbox that has no room. */
const again_ms = 50

/**
 * Effects that do nothing to the world are done, unless there is a reply; of any other the reply for its path is given, and one without a
 * reply is told to `onMissing`.
 */
export const repliesOf = (recorded: NonNullable<TestCase['replies']>, onMissing: (path: string) => void): Replies => {
  const missing: string[] = []
  const used = new Set<string>()
  const lacking = (path: string, message: string): NodeFailure => {
    missing.push(path)
    onMissing(path)
    return new NodeFailure({ code: 'test.no_reply', message })
  }
  return {
    missing,
    unused: () => Object.keys(recorded).filter((path) => !used.has(path)),
    answer: async (type, input, io) => {
      if (!Object.hasOwn(recorded, io.path)) {
        if (type.harmless === true) return done(() => type.run(input, io), io)
        throw lacking(io.path, `The test has no reply for "${io.path}"`)
      }
      used.add(io.path)
      const reply = replyTo(recorded, io)
      if (reply === null) throw lacking(io.path, `The test has no reply for attempt ${io.failures + 1} of "${io.path}"`)
      return resultOf(reply)
    },
  }
}

/** What an attempt is answered with; null: nothing is said of it. */
export const replyTo = (
  recorded: NonNullable<TestCase['replies']>,
  { path, failures }: Pick<NodeIo, 'path' | 'failures'>,
): TestReply | null => {
  const given = Object.hasOwn(recorded, path) ? recorded[path] : undefined
  if (given === undefined) return null
  return (Array.isArray(given) ? (given as readonly TestReply[])[failures] : given) ?? null
}

/** Throws what it says that the attempt failed with. */
export const resultOf = ({ output = null, port, error }: TestReply): NodeResult => {
  if (error === undefined) return port === undefined ? { output } : { output, port }
  const { code, message, details, retryable = false } = error
  throw new NodeFailure({ code, message, retryable, ...(details === undefined || details === null ? {} : { details }) })
}

/** Time that passes by itself would not make room: what asks to be run again later is, in real time. */
const done = async (run: () => Promise<NodeResult>, { signal }: NodeIo): Promise<NodeResult> => {
  for (;;) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof Later) || signal.aborted) throw error
      await new Promise((resolve) => setTimeout(resolve, again_ms))
    }
  }
}
