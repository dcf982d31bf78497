import nodemailer from 'nodemailer'
import { defineService } from '../../platform/service.ts'
import { StartError } from '../../platform/start-error.ts'
import type { Sender } from './address.ts'
import { sender } from './sender.ts'
import { settings } from './settings.ts'
import { parseSmtpUrl, type SmtpServer } from './smtp-url.ts'

/** One mail, as it goes out. */
export interface Outgoing {
  readonly message_id: string
  readonly recipient: string
  readonly subject: string
  readonly text: string
  readonly html: string | null
  /** ISO 8601. */
  readonly date: string
}

export interface Smtp {
  /** Resolves when the server has taken the mail. Rejects with what nodemailer throws; see `refusal.ts`. */
  readonly send: (mail: Outgoing, signal: AbortSignal) => Promise<void>
  /** So many mails wait for a connection that a further one had better come back later. */
  readonly crowded: () => boolean
}

/** Connections to the server at a time; providers allow some ten or twenty. */
const most_connections = 8
const most_waiting = 200

/** The way to the SMTP server of the configuration; null when there is none. */
export const smtp = defineService<Smtp | null>({
  name: 'mail.smtp',
  create: (app) => {
    const { smtp_url, smtp_timeout_ms } = app.settings(settings)
    if (smtp_url === null) return null
    const server = parseSmtpUrl(smtp_url)
    if ('mistake' in server)
      throw new StartError(
        `SMTP_URL ${server.mistake}.`,
        'Write it as smtps://user:password@mail.example.com or smtp://user:password@mail.example.com:587.',
      )
    return openSmtp(server, app.use(sender), smtp_timeout_ms)
  },
})

const openSmtp = (server: SmtpServer, from: Sender, timeout_ms: number): Smtp => {
  const { host, port, tls, auth } = server
  const transport = nodemailer.createTransport({
    ...{ host, port, secure: tls === 'from_start', requireTLS: tls === 'required', ignoreTLS: tls === 'off' },
    ...(auth === null ? {} : { auth: { ...auth }, forceAuth: true }),
    ...{ connectionTimeout: timeout_ms, greetingTimeout: timeout_ms, socketTimeout: timeout_ms, dnsTimeout: timeout_ms },
    name: from.address.slice(from.address.indexOf('@') + 1),
    // A server on this machine is reached when there is no other network.
    allowInternalNetworkInterfaces: true,
    // Nothing in a mail may name a file of this machine or an address to fetch.
    ...{ disableFileAccess: true, disableUrlAccess: true },
  })
  const slots = openSlots(most_connections)
  return {
    crowded: () => slots.waiting() >= most_waiting,
    send: (mail, signal) => slots.within(async () => void (await transport.sendMail({ ...messageOf(mail, from), signal }))),
  }
}

const messageOf = (mail: Outgoing, from: Sender) => ({
  from: { ...from },
  // In this form it is taken as one address, whatever it holds.
  to: { name: '', address: mail.recipient },
  envelope: { from: from.address, to: mail.recipient },
  subject: mail.subject,
  text: mail.text,
  ...(mail.html === null ? {} : { html: mail.html }),
  messageId: mail.message_id,
  date: new Date(mail.date),
  // RFC 3834: no out-of-office reply to this.
  headers: { 'Auto-Submitted': 'auto-generated' },
})

interface Slots {
  readonly waiting: () => number
  readonly within: <T>(work: () => Promise<T>) => Promise<T>
}

/** At most `count` at a time, the others in the order they came. */
const openSlots = (count: number): Slots => {
  let free = count
  const queue: (() => void)[] = []
  return {
    waiting: () => queue.length,
    within: async (work) => {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => void queue.push(resolve))
      try {
        return await work()
      } finally {
        const next = queue.shift()
        if (next === undefined) free += 1
        else next()
      }
    },
  }
}
