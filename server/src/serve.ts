import { setTimeout as delay } from 'node:timers/promises'
import { createApp, type Composition } from './app.ts'
import { giveBackBootMemory } from './platform/boot-memory.ts'
import type { App } from './platform/context.ts'
import { drain_limit_ms, httpService } from './platform/http/http-service.ts'
import { type Announcement, announcements } from './platform/module.ts'
import { StartError } from './platform/start-error.ts'
import { version } from './platform/version.ts'
import { modules } from './modules.ts'
import { roles } from './roles.ts'

/**
 * Runs the server until it is told to stop. Answers the exit code: 0 when it ended because it was asked to, 1 when something
 * failed. Throws `StartError` when it cannot start.
 */
export const serve = async (): Promise<number> => {
  const pretty = process.stdout.isTTY
  const end = Promise.withResolvers<Ending>()
  const composition = createApp({
    modules,
    roles,
    env: process.env,
    env_file: '.env',
    pretty,
    // Its owner has logged it.
    onFatal: () => end.resolve({ code: 1, drain: false }),
  })
  listenForTheEnd(composition, end.resolve)
  composition.start().then(
    (app) => announce(app, pretty).catch((error: unknown) => composition.log.error({ err: error }, 'announcing failed')),
    (error: unknown) => end.resolve({ code: 1, drain: false, error }),
  )
  const { code, drain, error } = await end.promise
  if (drain) await drainInTime(composition)
  await Promise.race([composition.stop(), delay(drain ? 5_000 : 2_000, undefined, { ref: false })])
  if (error instanceof StartError) throw error
  if (error !== undefined) composition.log.fatal({ err: error }, 'the server could not start')
  return code
}

interface Ending {
  readonly code: 0 | 1
  /** Let what is under way finish. */
  readonly drain: boolean
  readonly error?: unknown
}

/** A terminal and npm both deliver the one Ctrl-C; what comes again within this time is the same keystroke. */
const same_keystroke_ms = 300

const listenForTheEnd = ({ log }: Composition, end: (ending: Ending) => void): void => {
  let first: { readonly signal: string; readonly at: number } | null = null
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first === null) {
      first = { signal, at: performance.now() }
      log.info({ signal }, 'stopping; a second signal stops at once')
      return end({ code: 0, drain: true })
    }
    if (first.signal === signal && performance.now() - first.at < same_keystroke_ms) return
    log.warn({ signal }, 'stopped at once')
    process.exit(1)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal)
  const onUncaught = (error: unknown): void => {
    log.fatal({ err: error }, 'an error that nobody caught; stopping')
    end({ code: 1, drain: false })
  }
  process.on('uncaughtException', onUncaught)
  process.on('unhandledRejection', onUncaught)
}

const drainInTime = async ({ drain, log }: Composition): Promise<void> => {
  const in_time = new AbortController()
  const late = delay(drain_limit_ms, 'late' as const, { signal: in_time.signal })
  const outcome = await Promise.race([drain(), late])
  in_time.abort()
  await late.catch(() => undefined)
  if (outcome === 'late') log.warn({ limit_ms: drain_limit_ms }, 'what was under way did not finish in time and is cut off')
}

const announce = async (app: App, pretty: boolean): Promise<void> => {
  giveBackBootMemory()
  const url = app.use(httpService).url()
  const told = await announcements(app)
  const lines: readonly Announcement[] = [
    { label: 'Address', text: url },
    { label: 'Documentation', text: `${url}/docs` },
    ...told,
    { label: 'Try', text: `curl -s ${url}/api/v1/auth/register -H 'content-type: application/json' -d '${JSON.stringify(example)}'` },
  ]
  const ready_ms = Math.round(process.uptime() * 1000)
  if (!pretty && app.log.isLevelEnabled('info')) return app.log.info({ version, url, ready_ms, announcements: lines }, 'ready')
  // Whoever logs little still needs to know these; stdout of a server that is not a terminal is its log.
  const width = Math.max(...lines.map(({ label }) => label.length))
  const text = lines.map(({ label, text: rest }) => `  ${label.padEnd(width)}  ${rest}\n`).join('')
  ;(pretty ? process.stdout : process.stderr).write(`\nMillrace ${version} is ready (${ready_ms} ms).\n\n${text}\n`)
}

const example = { email: 'ada@example.org', username: 'ada', password: 'a mill turns on water' }
