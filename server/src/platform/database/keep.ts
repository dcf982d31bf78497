import { type Link, type LinkOptions, openLink } from './link.ts'

/** Keeps one link open: the first use connects, and so does the first use after a loss. */
export interface KeptLink {
  /** The link when it is open, without a turn of the event loop. */
  readonly current: () => Link | null
  readonly open: () => Promise<Link>
  readonly close: () => Promise<void>
}

export const keepLink = (options: LinkOptions): KeptLink => {
  let link: Link | null = null
  let opening: Promise<Link> | null = null
  let closed = false

  const current = (): Link | null => (link?.alive() ? link : null)
  const connect = async (): Promise<Link> => {
    try {
      link = await openLink(options)
      return link
    } finally {
      opening = null
    }
  }

  return {
    current,
    open: async () => {
      const open = current()
      if (open) return open
      if (closed) throw Object.assign(new Error('The database handle is closed.'), { code: 'CONNECTION_ENDED' })
      return (opening ??= connect())
    },
    close: async () => {
      closed = true
      await opening?.catch(() => null)
      await link?.close()
    },
  }
}
