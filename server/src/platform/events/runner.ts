import { randomUUID } from 'node:crypto'
import type { App } from '../context.ts'
import type { Link } from '../database/link.ts'
import { defineService } from '../service.ts'
import type { Consumer } from './consumer.ts'
import { type DurableLoop, durableLoop, ensureCursor } from './durable.ts'
import { type Position, startOfLog } from './log.ts'
import { onWake, type Waker } from './on-wake.ts'
import { tailLog } from './tail.ts'

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
  const consumers = app.modules.flatMap((module) => module.consumers ?? [])
  const durables = ownDurables(app, consumers)
  const ending: (() => void | Promise<void>)[] = []
  let stopping: Promise<void> | null = null

  const start = async (): Promise<void> => {
    const { control, committed } = app.database
    for (const consumer of consumers) if (consumer.delivery === 'durable') await ensureCursor(app, consumer)
    const readTail = async (text: string, parameters: readonly unknown[]) => (await control.run(text, parameters)).rows
    const tail = tailLog(app, readTail, consumers, app.use(eventStart), durables.wake)
    const self = randomUUID()
    const notifier = notifyOthers(app, self)
    const hearOwn = committed.on(() => {
      tail.wake()
      durables.wake()
      notifier.wake()
    })
    const hearOthers = await control.listen(channel, {
      onNotify: (sender) => {
        if (sender !== self) tail.wake()
      },
      onLost: () => {
        tail.lost()
        void durables.claim()
      },
    })
    await durables.claim()
    tail.wake()
    let polls = 0
    const timer = setInterval(() => {
      polls++
      if (polls % claim_every === 0 && !durables.complete()) void durables.claim()
      else tail.wake()
    }, poll_ms)
    ending.push(() => clearInterval(timer), hearOwn, hearOthers, tail.stop, notifier.stop)
  }
  const stop = async (): Promise<void> => {
    for (const end of ending) await end()
    await durables.release()
  }
  return { start, stop: () => (stopping ??= stop()) }
}

interface Durables {
  readonly wake: () => void
  /** Every durable consumer belongs to this process. */
  readonly complete: () => boolean
  /** Asks for those that this process does not have. */
  readonly claim: () => Promise<void>
  readonly release: () => Promise<void>
}

/** The durable consumers, each at work in whichever process holds its advisory lock. */
const ownDurables = (app: App, consumers: readonly Consumer[]): Durables => {
  const { control } = app.database
  const all = consumers
    .filter((consumer) => consumer.delivery === 'durable')
    .map((consumer): Owned => {
      const owned: Owned = { consumer, loop: durableLoop(app, consumer, () => isHeld(owned)), lock: null }
      return owned
    })
  return {
    wake: () => {
      for (const owned of all) if (isHeld(owned)) owned.loop.wake()
    },
    complete: () => all.every(isHeld),
    claim: async () => {
      try {
        for (const owned of all.filter((each) => !isHeld(each))) {
          const { rows, link } = await control.run(`select pg_try_advisory_lock(${lockOf}) as held`, [owned.consumer.name])
          owned.lock = rows[0]?.['held'] === true ? link : null
          if (owned.lock !== null) owned.loop.wake()
        }
      } catch (error) {
        app.log.warn({ err: error }, 'event consumers cannot be claimed; it will be tried again')
      }
    },
    release: async () => {
      await Promise.all(all.map(({ loop }) => loop.stop()))
      // Given free at once, so that another process takes over without waiting for this one's connection to go.
      for (const owned of all.filter(isHeld)) {
        await owned.lock?.send(`select pg_advisory_unlock(${lockOf})`, [owned.consumer.name])
        owned.lock = null
      }
    },
  }
}

const lockOf = `hashtext('millrace.consumer'), hashtext($1)`

const isHeld = (owned: Owned): boolean => owned.lock?.alive() === true

/** Tells other processes that there are new events. Many commits make one notification, outside of all of them: it takes a lock that commits share. */
const notifyOthers = (app: App, self: string): Waker =>
  onWake(notify_gap_ms, async () => {
    try {
      await app.database.control.run('select pg_notify($1, $2)', [channel, self])
    } catch (error) {
      app.log.debug({ err: error }, 'other processes could not be told of new events; they will find them when they poll')
    }
  })
