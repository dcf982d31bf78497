import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** A server as a user runs it: its own process, data directory and embedded PostgreSQL. It can be killed. */
export interface ServerProcess {
  readonly url: string
  readonly start: () => Promise<void>
  /** `kill -9` of the server alone; PostgreSQL is left behind. */
  readonly killServer: () => Promise<void>
  /** To the server alone: `SIGSTOP` freezes it, `SIGCONT` lets it go on. */
  readonly signal: (signal: 'SIGSTOP' | 'SIGCONT') => void
  /** `kill -9` of the postmaster alone. */
  readonly killPostgres: () => void
  readonly stop: () => Promise<void>
  /** Where a driver finds the database: its socket directory and port. */
  readonly database: () => { readonly host: string; readonly port: number }
}

const root = join(import.meta.dirname, '..', '..')

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

export const serverProcess = async (options: {
  readonly data_dir: string
  readonly env: { readonly [name: string]: string }
  readonly onOutput?: (text: string) => void
}): Promise<ServerProcess> => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | null = null

  const postmaster = (): { pid: number; host: string; port: number } => {
    const file = readdirSync(options.data_dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(options.data_dir, entry.name, 'postmaster.pid'))
      .find((path) => existsSync(path))
    if (file === undefined) throw new Error('PostgreSQL is not running')
    // Lines of postmaster.pid: pid, data directory, start time, port, socket directory, …
    const lines = readFileSync(file, 'utf8').split('\n')
    return { pid: Number(lines[0]), port: Number(lines[3]), host: lines[4] ?? '' }
  }

  const exited = async (): Promise<void> => {
    if (child !== null && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  return {
    url,
    start: async () => {
      const started = spawn(process.execPath, [join(root, 'server/src/main.ts'), 'start'], {
        cwd: options.data_dir,
        env: {
          PATH: process.env.PATH ?? '',
          LOG_LEVEL: 'warn',
          MILLRACE_DATA_DIR: options.data_dir,
          HOST: '127.0.0.1',
          PORT: String(port),
          ...options.env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      child = started
      let output = ''
      const read = (chunk: Buffer): void => {
        output = (output + chunk.toString()).slice(-4_000)
        options.onOutput?.(chunk.toString())
      }
      started.stdout.on('data', read)
      started.stderr.on('data', read)
      const deadline = Date.now() + 30_000
      while (Date.now() < deadline) {
        if (started.exitCode !== null || started.signalCode !== null) throw new Error(`the server ended while it started:\n${output}`)
        const ready = await fetch(`${url}/readyz`).then(
          (response) => response.status === 200,
          () => false,
        )
        if (ready) return
        await pause(25)
      }
      throw new Error(`the server was not ready within 30 s:\n${output}`)
    },
    killServer: async () => {
      child?.kill('SIGKILL')
      await exited()
    },
    signal: (signal) => void child?.kill(signal),
    killPostgres: () => process.kill(postmaster().pid, 'SIGKILL'),
    stop: async () => {
      child?.kill('SIGTERM')
      await exited()
    },
    database: () => postmaster(),
  }
}
