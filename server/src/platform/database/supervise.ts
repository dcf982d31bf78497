import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../log.ts'
import { StartError } from '../start-error.ts'
import { explainFailure, postgresEnvironment } from './postgres-cluster.ts'
import { postgresLog } from './postgres-log.ts'
import { stopLeftovers } from './postgres-processes.ts'

export interface SuperviseOptions {
  /** The program and its arguments. */
  readonly command: readonly string[]
  /** The data directory's `postgres`. */
  readonly cluster: string
  /** The lock file that PostgreSQL puts beside its socket. */
  readonly socketLock: string
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
  /** Fast shutdown; after 10 s an immediate one, after 16 s a kill. Resolves when the process is gone. May be called at any time, also twice. */
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
    await stopLeftovers(options.cluster, options.socketLock, options.log)
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

const keepRunning = async (
  first: Running,
  start: () => Promise<Running>,
  stopping: AbortSignal,
  options: SuperviseOptions,
): Promise<void> => {
  const { log, onFatal, giveUpAfter = 10 } = options
  let running = first
  let attempt = 0
  for (;;) {
    const { code, signal } = await running.exited
    if (stopping.aborted) return
    if (running.age() > calm) attempt = 0
    log.error({ code, signal, postgres_pid: running.pid }, 'PostgreSQL ended unexpectedly; starting it again')
    for (let failures = 0; ;) {
      try {
        await delay(backOff(attempt++), undefined, { signal: stopping })
        running = await start()
        log.info({ postgres_pid: running.pid }, 'PostgreSQL runs again')
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
  /** It could not even be run. */
  readonly error?: Error
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
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', (error) => resolve({ code: null, signal: null, error }))
  })
  return {
    pid: child.pid ?? 0,
    ready: untilReady(child.stderr, exited, cluster, log),
    exited,
    isAlive: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    age: () => performance.now() - since,
    kill: (signal) => void child.kill(signal),
  }
}

/** The postmaster's word that connections are let in; `utils/pidfile.h`'s status says the same, but could be an earlier one's. */
const readyLine = /^\d+\|postmaster\|00000\|LOG: {2}database system is ready to accept connections/

/** Recovery after a crash may take as long as it needs; the log says that it goes on. */
const untilReady = (stderr: Readable, exited: Promise<Exit>, cluster: string, log: Logger): Promise<void> => {
  const since = performance.now()
  const lastWords: string[] = []
  const write = postgresLog(log)
  const lines = createInterface({ input: stderr })
  const ready = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      if (readyLine.test(line)) resolve()
      lastWords.push(line.replace(/^\d+\|[^|]*\|\w{5}\|/, ''))
      if (lastWords.length > 30) lastWords.shift()
      write(line)
    })
  })
  const failed = exited.then(async ({ code, signal, error }) => {
    // A backend that outlived its postmaster holds the pipe open; what was said is here within a moment all the same.
    await Promise.race([once(lines, 'close'), delay(200, undefined, { ref: false })])
    const end = error?.message ?? (signal === null ? `code ${code}` : signal)
    throw explainFailure(`PostgreSQL did not start (it ended with ${end})`, lastWords.join('\n'), cluster)
  })
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - since) / 1000)
    log.info({ seconds }, 'PostgreSQL is starting; after a crash it replays its log first')
  }, 5000)
  return Promise.race([ready, failed]).finally(() => clearInterval(progress))
}

/** Milliseconds for each; at SIGQUIT PostgreSQL itself kills what does not end within 5 s. */
const farewell = [
  ['SIGINT', 10_000],
  ['SIGQUIT', 6_000],
  ['SIGKILL', 5_000],
] as const

const end = async (running: Running, { cluster, socketLock, log }: SuperviseOptions): Promise<void> => {
  for (const [signal, patience] of farewell) {
    if (!running.isAlive()) break
    if (signal !== 'SIGINT') log.warn({ postgres_pid: running.pid, signal }, 'PostgreSQL does not stop; using a stronger signal')
    running.kill(signal)
    const timer = new AbortController()
    await Promise.race([running.exited, delay(patience, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
  }
  await running.exited
  // Gone by its own shutdown it leaves nothing; killed, it may leave backends that a later start must not meet.
  await stopLeftovers(cluster, socketLock, log)
}
