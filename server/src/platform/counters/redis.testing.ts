import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A real Redis, or a Valkey, of a test's own. */
export interface TestRedis {
  readonly url: string
  /** Holds it so that it takes connections and answers nothing. */
  readonly freeze: () => void
  readonly thaw: () => void
  readonly kill: () => Promise<void>
  /** Again, at the same address and empty. */
  readonly restart: () => Promise<void>
  readonly close: () => Promise<void>
}

const program = ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0) ?? null

/**
 * Why tests with Redis are left out, or null when they run. Where all tests have to run (CI), they run, and fail without the
 * program: a machine that was set up wrongly must not look like one where all is well.
 */
export const withoutRedis: string | null =
  program === null && process.env['CI'] === undefined ? 'neither redis-server nor valkey-server is installed here' : null

export const startRedis = async (): Promise<TestRedis> => {
  if (program === null) throw new Error('These tests need redis-server or valkey-server: install one (apt-get install redis-server).')
  const directory = await mkdtemp(join(tmpdir(), 'millrace-redis-'))
  const port = await freePort()
  const launch = async (): Promise<ChildProcess> => {
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
    const started = spawn(program, options, { stdio: 'ignore' })
    await answers(port)
    return started
  }
  let running = await launch()
  const kill = async (): Promise<void> => {
    if (running.exitCode !== null || running.signalCode !== null) return
    const gone = once(running, 'exit')
    running.kill('SIGKILL')
    await gone
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    freeze: () => void running.kill('SIGSTOP'),
    thaw: () => void running.kill('SIGCONT'),
    kill,
    restart: async () => {
      await kill()
      running = await launch()
    },
    close: async () => {
      await kill()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const answers = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    const socket = connect({ port, host: '127.0.0.1' })
    try {
      await once(socket, 'connect')
      return
    } catch {
      // Not yet.
      await delay(25)
    } finally {
      socket.destroy()
    }
  }
  throw new Error('Redis did not start within five seconds.')
}
