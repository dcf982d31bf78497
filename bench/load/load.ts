import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { LoadOptions, LoadResult } from './contract.ts'

const generator = fileURLToPath(new URL('./generator.ts', import.meta.url))

/** Runs the load generator in a process of its own, so that what it costs does not count as the server's. */
export const runLoad = async (options: LoadOptions): Promise<LoadResult> => {
  const child = spawn(process.execPath, [generator], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  child.stdin.end(JSON.stringify(options))
  const [code, output] = await Promise.all([exited, text(child.stdout)])
  if (code !== 0) throw new Error(`the load generator ended with code ${code}`)
  return JSON.parse(output) as LoadResult
}

/** The ordinary load: each client sends its next request when it has the reply to the last one. */
export const asFastAsRepliesCome = { host: '127.0.0.1', pace_per_s: null, from_addresses: [], requests_per_connection: null } as const

/** What went wrong in a run, in words; empty when every request had the reply that was expected. */
export const complaintsOf = (result: LoadResult): readonly string[] => [
  ...(result.wrong > 0 ? [`${result.wrong} replies were not as expected, the first: ${result.first_wrong}`] : []),
  ...Object.entries(result.errors).map(([code, count]) => `${count} requests had no reply: ${code}`),
]
