import { randomUUID } from 'node:crypto'
import type { App } from '../context.ts'
import type { Link } from '../database/link.ts'
import { defineService } from '../service.ts'
import type { Consumer } from './consumer.ts'
import { type DurableLoop, durableLoop, ensureCursor } from './durable.ts'
import { type Position, startOfLog } from './log.ts'
import { type Tail, tailLog } from './tail.ts'

const channel = 'millrace_events'
const poll_ms = 1_000
/** Every how many polls a process asks for the consumers that another one owns. */
const claim_every = 5
const notify_gap_ms = 20

/**
 * Where the log ends when the server starts. Made before anything that fills a cache from the database, so that no change falls
 * between what the cache read and what `every_process` consumers hear.
 */
export const eventStart = defineService({
  name: 'events.start',
  create: async (app): Promise<Position> => {
    const adopted = await app.database.control.run('select millrace.adopt_restored_log() as adopted', [])
    if (adopted.rows[0]?.['adopted'] === true) {
      app.log.warn('the database was restored from a copy: event consumers go on where the copy left them, and may see some events again')
    }
    const { rows } = await app.database.control.run(startOfLog, [])
    const { snapshot, floor } = rows[0] as unknown as Position
    return { snapshot, floor, target: null, seq: 0 }
  },
})

interface Runner {
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Runs the consumers of all modules. Last in the list of services: it calls what the others have made, and stops before them. */
export const eventRunner = defineService({
  name: 'events.runner',
  create: (app): Runner => createRunner(app),
  start: (runner) => runner.start(),
  drain: (runner) => runner.stop(),
  stop: (runner) => runner.stop(),
})

interface Owned {
  readonly consumer: Consumer
  readonly loop: DurableLoop
  /** The link that holds the advisory lock; the consumer is ours while it lives. */
  lock: Link | null
}

const createRunner = (app: App): Runner => {
  const { control, committed } = app.database
  const self = randomUUID()
  const consumers = app.modules.flatMap((module) => module.consumers ?? [])
  const durables = consumers.filter((consumer) => consumer.delivery === 'durable').map((consumer): Owned => {
    const owned: Owned = { consumer, loop: durableLoop(app, consumer, () => owned.lock?.alive() === true), lock: null }
    return owned
  })
  const wakeDurables = (): void => {
    for (const { loop } of durables) loop.wake()
  }
  const readTail = async (text: string, parameters: readonly unknown[]) => (await control.run(text, parameters)).rows
  const notifier = createNotifier(app, self)
  let tail: Tail | null = null
  let timer: NodeJS.Timeout | null = null
  let polls = 0
  const undo: (() => void | Promise<void>)[] = []
  let stopping: Promise<void> | null = null

  const claim = async (): Promise<void> => {
    for (const owned of durables.filter(({ lock }) => lock?.alive() !== true)) {
      const { rows, link } = await control.run(`select pg_try_advisory_lock(hashtext('millrace.consumer'), hashtext($1)) as held`, [owned.consumer.name])
      owned.lock = rows[0]?.['held'] === true ? link : null
      owned.loop.wake()
    }
  }

  const poll = (): void => {
    polls++
    if (polls % claim_every === 0 && durables.some(({ lock }) => lock?.alive() !== true)) {
      claim().catch((error: unknown) => app.log.warn({ err: error }, 'event consumers cannot be claimed'))
    } else {
      tail?.wake()
    }
  }

  const start = async (): Promise<void> => {
    const everyProcess = consumers.filter((consumer) => consumer.delivery === 'every_process')
    for (const { consumer } of durables) await ensureCursor(app, consumer.name)
    const following = tailLog(app, readTail, everyProcess, app.use(eventStart), wakeDurables)
    tail = following
    undo.push(
      committed.on(() => {
        following.wake()
        wakeDurables()
        notifier.notify()
      }),
      await control.listen(channel, {
        onNotify: (sender) => {
          if (sender !== self) following.wake()
        },
        onLost: () => {
          following.lost()
          claim().catch((error: unknown) => app.log.warn({ err: error }, 'event consumers cannot be claimed'))
        },
      }),
    )
    await claim()
    following.wake()
    timer = setInterval(poll, poll_ms)
  }

  const stop = async (): Promise<void> => {
    if (timer !== null) clearInterval(timer)
    for (const end of undo) await end()
    await Promise.all([tail?.stop(), notifier.stop(), ...durables.map(({ loop }) => loop.stop())])
    // Given free at once, so that another process takes over without waiting for this one's connection to go.
    for (const owned of durables.filter(({ lock }) => lock?.alive() === true)) {
      await owned.lock?.send(`select pg_advisory_unlock(hashtext('millrace.consumer'), hashtext($1))`, [owned.consumer.name])
      owned.lock = null
    }
  }

  return { start, stop: () => (stopping ??= stop()) }
}

/** Tells other processes that there are new events. Many commits make one notification, outside of all of them: it takes a lock that commits share. */
const createNotifier = (app: App, self: string): { notify: () => void; stop: () => Promise<void> } => {
  let wanted = false
  let running: Promise<void> | null = null
  let stopped = false

  const run = async (): Promise<void> => {
    while (wanted && !stopped) {
      wanted = false
      try {
        await app.database.control.run('select pg_notify($1, $2)', [channel, self])
      } catch (error) {
        app.log.debug({ err: error }, 'other processes could not be told of new events; they will find them when they poll')
      }
      await new Promise((resolve) => setTimeout(resolve, notify_gap_ms))
    }
  }
  const notify = (): void => {
    wanted = true
    if (stopped || running !== null) return
    running = run().finally(() => {
      running = null
      if (wanted) notify()
    })
  }
  return {
    notify,
    stop: async () => {
      stopped = true
      await running
    },
  }
}
