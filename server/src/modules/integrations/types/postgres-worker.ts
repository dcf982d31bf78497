import { parentPort, workerData } from 'node:worker_threads'
import connect, { type Options } from 'postgres'

// In a thread of its own, which can be ended: the driver trusts the server that it talks to, and this one was named by somebody.
const sql = connect({ ...(workerData as Options<Record<string, never>>), onnotice: () => undefined })
const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown')
const outcome = await sql`select 1`.then(() => '', codeOf)
// A thread has no origin, unlike a window.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(outcome)
