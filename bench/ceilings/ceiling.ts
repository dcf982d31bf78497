import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { DatabaseAddress } from './serve.ts'

export interface Ceiling {
  readonly port: number
  readonly pid: number
  readonly stop: () => Promise<void>
}

const files = { webhook: new URL('./webhook.ts', import.meta.url), read: new URL('./read.ts', import.meta.url) }

/** Starts one of the bare servers beside this file on a database. Resolves to what it says when it listens. */
export const startCeiling = async <Told extends object = object>(
  name: keyof typeof files,
  database: DatabaseAddress,
): Promise<Ceiling & Told> => {
  const child = spawn(process.execPath, [fileURLToPath(files[name]), JSON.stringify(database)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const lines = createInterface({ input: child.stdout })
  const told = await Promise.race([
    new Promise<string>((resolve) => lines.once('line', resolve)),
    exited.then((code) => Promise.reject(new Error(`the bare server ended with code ${code}`))),
  ])
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await exited
  }
  return { ...(JSON.parse(told) as Told & { port: number }), pid: child.pid as number, stop }
}
