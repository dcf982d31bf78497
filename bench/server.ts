import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseAddress } from './ceilings/serve.ts'

/** A server as a user starts one: its own process, data directory and embedded PostgreSQL. */
export interface ServerProcess {
  readonly port: number
  readonly pid: number
  /** From the start of the process to the first 200 of `/readyz`. */
  readonly ready_ms: number
  /** Its database, for looking at what it has stored. */
  readonly database: DatabaseAddress
  readonly stop: () => Promise<void>
}

export interface ServerOptions {
  /** Made when it is missing. */
  readonly directory: string
  /** Where CPU profiles go when the server ends; null for none. */
  readonly profile_dir: string | null
  /** Settings beyond the port, the host and the data directory. */
  readonly env?: { readonly [name: string]: string }
  /** What starts it; the repository's start script, without npm, when not given. */
  readonly command?: readonly string[]
}

const root = join(import.meta.dirname, '..')
const longest_start_ms = 60_000

/** `exec node tools/setup.mjs node … server/src/main.ts start` */
const startScript = (): string =>
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly scripts: { readonly start: string } }).scripts.start

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

const isReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('error', () => resolve(false))
  })

/** Its socket's directory and port, as PostgreSQL has written them into the fourth and fifth line of `postmaster.pid`. */
export const databaseOf = (directory: string): DatabaseAddress => {
  const lines = readFileSync(join(directory, 'postgres', 'postmaster.pid'), 'utf8').split('\n')
  return { host: lines[4] ?? '', port: Number(lines[3]), user: 'millrace', database: 'millrace' }
}

const untilReady = async (child: ChildProcess, port: number, log_file: string): Promise<number> => {
  const since = performance.now()
  while (performance.now() - since < longest_start_ms) {
    if (await isReady(port)) return performance.now() - since
    if (child.exitCode !== null || child.signalCode !== null) break
    await delay(5)
  }
  throw new Error(`the server did not become ready:\n${readFileSync(log_file, 'utf8').slice(-4000)}`)
}

export const startServer = async (options: ServerOptions): Promise<ServerProcess> => {
  const { directory, profile_dir, env = {} } = options
  await mkdir(directory, { recursive: true })
  const log_file = `${directory}.log`
  const log = openSync(log_file, 'a')
  const port = await freePort()
  const profiling = profile_dir === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile_dir}`]
  const [, , setup = '', node = '', ...server] = startScript().split(' ')
  const own = [process.execPath, setup, node, ...profiling, ...server]
  const [program, ...args] = options.command ?? own
  const child = spawn(program as string, args, {
    cwd: root,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      HOST: '127.0.0.1',
      PORT: String(port),
      MILLRACE_DATA_DIR: directory,
      ...env,
    },
    stdio: ['ignore', log, log],
  })
  const closed = once(child, 'close')
  const end = (): void => void child.kill('SIGTERM')
  process.once('exit', end)
  const ready_ms = await untilReady(child, port, log_file)
  return {
    port,
    // A command may have started it as a child of its own.
    pid: serverPid(directory) ?? (child.pid as number),
    ready_ms,
    database: databaseOf(directory),
    stop: async () => {
      process.off('exit', end)
      const pid = serverPid(directory)
      if (pid !== null) process.kill(pid, 'SIGTERM')
      await closed
    },
  }
}

/** The server writes its process id into its data directory while it runs. */
const serverPid = (directory: string): number | null => {
  try {
    return (JSON.parse(readFileSync(join(directory, 'server.json'), 'utf8')) as { pid: number }).pid
  } catch {
    return null
  }
}
