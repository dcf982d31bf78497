import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../log.ts'
import { StartError } from '../start-error.ts'
import { explainFailure, postgresEnvironment } from './postgres-cluster.ts'
import { postgresLog } from './postgres-log.ts'
import { readPidFile, stopLeftovers } from './postgres-processes.ts'

export interface SuperviseOptions {
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** The data directory's `postgres`. */
  readonly cluster: string
  readonly log: Logger
  /** Called once, when PostgreSQL ended and could not be started again `giveUpAfter` times in a row. Nothing runs then. */
  readonly onFatal: (error: StartError) => void
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined
  readonly giveUpAfter?: number
}

export interface Supervisor {
  /** The postmaster's process id; null while there is none. */
  readonly pid: () => number | null
  /** Fast shutdown; after 10 s an immediate one. Resolves when the process is gone. May be called at any time, also twice. */
  readonly stop: () => Promise<void>
}

/**
 * Starts PostgreSQL, resolves when it takes connections, and from then on starts it again whenever it ends by itself.
 * A first start that fails is a `StartError`; it is not repeated, because what is wrong then waits for a person.
 */
export const supervise = async (options: SuperviseOptions): Promise<Supervisor> => {
  const stopping = new AbortController()
  const state: { running: Running | null; stopped: Promise<void> | null } = { running: null, stopped: null }
  const start = async (): Promise<Running> => {
    await stopLeftovers(options.cluster, options.log)
    stopping.signal.throwIfAborted()
    state.running = launch(options)
    await state.running.ready
    return state.running
  }
  // A server that ends without stopping (a second signal, an uncaught error) takes its PostgreSQL along.
  const onExit = (): void => state.running?.kill('SIGINT')
  process.once('exit', onExit)
  const shutDown = async (): Promise<void> => {
    process.off('exit', onExit)
    stopping.abort(options.signal?.reason)
    if (state.running !== null) await end(state.running, options)
  }
  const stop = (): Promise<void> => (state.stopped ??= shutDown())

  const onAbort = (): void => void stop()
  options.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    options.signal?.throwIfAborted()
    const first = await start()
    stopping.signal.throwIfAborted()
    const kept = keepRunning(first, start, stopping.signal, options)
    return {
      pid: () => (state.running?.isAlive() ? state.running.pid : null),
      stop: async () => {
        await stop()
        await kept
      },
    }
  } catch (error) {
    await stop()
    throw options.signal?.aborted ? options.signal.reason : error
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
  }
}

/** How long a PostgreSQL must have run for its end to count as a new trouble and not as the last one going on. */
const calm = 10_000

/** Milliseconds before the nth start in a row: at once, then doubling up to a second. */
export const backOff = (attempt: number): number => (attempt === 0 ? 0 : Math.min(1000, 50 * 2 ** (attempt - 1)))

const keepRunning = async (first: Running, start: () => Promise<Running>, stopping: AbortSignal, options: SuperviseOptions): Promise<void> => {
  const { log, onFatal, giveUpAfter = 10 } = options
  let running = first
  let attempt = 0
  for (;;) {
    const { code, signal } = await running.exited
    if (stopping.aborted) return
    if (running.age() > calm) attempt = 0
    log.error({ code, signal, pid: running.pid }, 'PostgreSQL ended unexpectedly; starting it again')
    for (let failures = 0; ; ) {
      try {
        await delay(backOff(attempt++), undefined, { signal: stopping })
        running = await start()
        log.info({ pid: running.pid }, 'PostgreSQL runs again')
        break
      } catch (error) {
        if (stopping.aborted) return
        failures += 1
        log.error({ err: error, failures }, 'PostgreSQL could not be started again')
        if (failures < giveUpAfter) continue
        onFatal(
          error instanceof StartError
            ? error
            : new StartError(`PostgreSQL could not be started again: ${String(error)}`, 'See the log above for the reason.', error),
        )
        return
      }
    }
  }
}

interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

interface Running {
  readonly pid: number
  /** Rejects with a `StartError` when the process ends before it takes connections. */
  readonly ready: Promise<void>
  readonly exited: Promise<Exit>
  readonly isAlive: () => boolean
  /** Milliseconds since the launch. */
  readonly age: () => number
  readonly kill: (signal: NodeJS.Signals) => void
}

const launch = ({ command, cluster, log }: SuperviseOptions): Running => {
  const [file, ...args] = command as [string, ...string[]]
  // In a process group of its own, so that Ctrl-C reaches the server alone, which still needs its database to drain.
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'], env: postgresEnvironment(), cwd: cluster, detached: true })
  const since = performance.now()
  const lastWords: string[] = []
  const write = postgresLog(log)
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastWords.push(line.replace(/^\d+\|[^|]*\|\w{5}\|/, ''))
    if (lastWords.length > 30) lastWords.shift()
    write(line)
  })
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', (error) => {
      lastWords.push(String(error))
      resolve({ code: null, signal: null })
    })
  })
  const isAlive = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null
  const ready = waitUntilReady(child.pid, cluster, isAlive, log).catch(async (error: unknown) => {
    if (isAlive()) throw error
    const { code, signal } = await exited
    // A backend that outlived its postmaster holds the pipe open; what was said is here within a moment all the same.
    await Promise.race([closed, delay(200)])
    const end = signal === null ? `code ${code}` : signal
    throw explainFailure(`PostgreSQL did not start (it ended with ${end})`, lastWords.join('\n'), cluster)
  })
  return { pid: child.pid ?? 0, ready, exited, isAlive, age: () => performance.now() - since, kill: (signal) => void child.kill(signal) }
}

/** Recovery after a crash may take as long as it needs; the log says that it goes on. */
const waitUntilReady = async (pid: number | undefined, cluster: string, isAlive: () => boolean, log: Logger): Promise<void> => {
  const since = performance.now()
  let told = 0
  for (;;) {
    if (!isAlive()) throw new Error('ended before it was ready')
    const pidFile = await readPidFile(cluster)
    if (pidFile !== null && pidFile.pid === pid && pidFile.ready) return
    const seconds = Math.floor((performance.now() - since) / 1000)
    if (seconds >= told + 5) {
      told = seconds
      log.info({ seconds }, 'PostgreSQL is starting; after a crash it replays its log first')
    }
    await delay(5)
  }
}

const end = async (running: Running, { cluster, log }: SuperviseOptions, patience = 10_000): Promise<void> => {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!running.isAlive()) break
    if (signal !== 'SIGINT') log.warn({ pid: running.pid, signal }, 'PostgreSQL does not stop; using a stronger signal')
    running.kill(signal)
    const timer = new AbortController()
    await Promise.race([running.exited, delay(patience, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
  }
  await running.exited
  // Gone by its own shutdown it leaves nothing; killed, it may leave backends that a later start must not meet.
  await stopLeftovers(cluster, log)
}
