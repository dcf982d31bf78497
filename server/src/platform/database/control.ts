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
  const channels = new Map<string, Set<Listener>>()
  let link: Link | null = null
  let connecting: Promise<Link> | null = null
  let closed = false

  const connect = async (): Promise<Link> => {
    const opened = await openLink({
      connection,
      role: 'millrace_system',
      // What is written here is at most a notification, which is worth no wait for the disk.
      settings: { synchronous_commit: 'off', statement_timeout: '30s' },
      onNotify: (channel, payload) => {
        for (const listener of channels.get(channel) ?? []) listener.onNotify(payload)
      },
      onLost: () => void restore(),
    })
    for (const channel of channels.keys()) await opened.sendSimple(`listen ${quote(channel)}`)
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
    for (let delay = 50; !closed && channels.size > 0; delay = Math.min(delay * 2, 2_000)) {
      try {
        await open()
        for (const listeners of channels.values()) for (const listener of listeners) listener.onLost?.()
        return
      } catch (error) {
        if (!isConnectionLoss(error)) log.error({ err: error }, 'cannot listen for notifications; trying again')
        await sleep(delay, undefined, { ref: false })
      }
    }
  }

  return {
    listen: async (channel, listener) => {
      const opened = await open()
      const listeners = channels.get(channel) ?? new Set()
      channels.set(channel, listeners.add(listener))
      await opened.sendSimple(`listen ${quote(channel)}`)
      return async () => {
        listeners.delete(listener)
        if (listeners.size > 0 || channels.get(channel) !== listeners) return
        channels.delete(channel)
        if (link?.alive()) await link.sendSimple(`unlisten ${quote(channel)}`)
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

const quote = (channel: string): string => `"${channel.replaceAll('"', '""')}"`
