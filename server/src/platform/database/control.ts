import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../log.ts'
import { isConnectionLoss } from './errors.ts'
import { type ConnectionOptions, type Link, openLink, type Rows } from './link.ts'

export interface Listener {
  readonly onNotify: (payload: string) => void
  /** Notifications may have been missed: the connection was lost and is back. */
  readonly onLost?: (() => void) | undefined
}

/** One connection for what belongs to a connection: LISTEN, and advisory locks that last as long as the process. */
export interface Control {
  /** Resolves when PostgreSQL listens on the channel. Answers how to stop. */
  readonly listen: (channel: string, listener: Listener) => Promise<() => Promise<void>>
  /** Runs a statement on it. `link` tells whether the locks that were taken on it are still held (`link.alive()`). */
  readonly run: (text: string, parameters: readonly unknown[]) => Promise<{ readonly rows: Rows; readonly link: Link }>
  readonly close: () => Promise<void>
}

export const openControl = (connection: ConnectionOptions, log: Logger): Control => {
  const channels = createChannels()
  let link: Link | null = null
  let connecting: Promise<Link> | null = null
  let closed = false

  const connect = async (): Promise<Link> => {
    const opened = await openLink({
      connection,
      role: 'millrace_system',
      // What is written here is at most a notification, which is worth no wait for the disk.
      settings: { synchronous_commit: 'off', statement_timeout: '30s' },
      onNotify: channels.notify,
      onLost: () => void restore(),
    })
    for (const channel of channels.names()) await opened.sendSimple(`listen ${quote(channel)}`)
    link = opened
    return opened
  }

  const open = (): Promise<Link> => {
    if (link?.alive()) return Promise.resolve(link)
    if (closed) return Promise.reject(Object.assign(new Error('The database handle is closed.'), { code: 'CONNECTION_ENDED' }))
    connecting ??= connect().finally(() => (connecting = null))
    return connecting
  }

  const restore = async (): Promise<void> => {
    // A loss while connecting is dealt with by whoever connects.
    if (link === null || link.alive()) return
    link = null
    for (let delay = 50; !closed && channels.names().length > 0; delay = Math.min(delay * 2, 2_000)) {
      try {
        await open()
        return channels.lost()
      } catch (error) {
        if (!isConnectionLoss(error)) log.error({ err: error }, 'cannot listen for notifications; trying again')
        await sleep(delay, undefined, { ref: false })
      }
    }
  }

  return {
    listen: async (channel, listener) => {
      const opened = await open()
      channels.add(channel, listener)
      await opened.sendSimple(`listen ${quote(channel)}`)
      return async () => {
        channels.remove(channel, listener)
        if (!channels.names().includes(channel) && link?.alive()) await link.sendSimple(`unlisten ${quote(channel)}`)
      }
    },
    run: async (text, parameters) => {
      const opened = await open()
      return { rows: await opened.send(text, parameters), link: opened }
    },
    close: async () => {
      closed = true
      await connecting?.catch(() => null)
      await link?.close(1)
    },
  }
}

interface Channels {
  readonly names: () => readonly string[]
  readonly add: (channel: string, listener: Listener) => void
  readonly remove: (channel: string, listener: Listener) => void
  readonly notify: (channel: string, payload: string) => void
  readonly lost: () => void
}

const createChannels = (): Channels => {
  let entries: readonly { readonly channel: string; readonly listener: Listener }[] = []
  return {
    names: () => [...new Set(entries.map(({ channel }) => channel))],
    add: (channel, listener) => void (entries = [...entries, { channel, listener }]),
    remove: (channel, listener) => void (entries = entries.filter((entry) => entry.channel !== channel || entry.listener !== listener)),
    notify: (channel, payload) => {
      for (const entry of entries) if (entry.channel === channel) entry.listener.onNotify(payload)
    },
    lost: () => {
      for (const { listener } of entries) listener.onLost?.()
    },
  }
}

const quote = (channel: string): string => `"${channel.replaceAll('"', '""')}"`
