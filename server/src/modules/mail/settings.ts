import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  smtp_url: {
    env: 'SMTP_URL',
    type: 'url',
    protocols: ['smtp', 'smtps'],
    default: null,
    secret: true,
    doc: 'The server that delivers mails: `smtps://user:password@mail.example.com` (TLS from the start, port 465) or `smtp://user:password@mail.example.com:587` (STARTTLS, without which nothing is sent). `?tls=off` sends in the clear, as is done to a server on this machine unless `?tls=required` is said. Without a server mails stay in the outbox, where an admin reads them: `GET /api/v1/mails`.',
  },
  smtp_timeout_ms: {
    env: 'SMTP_TIMEOUT_MS',
    type: 'integer',
    default: 30_000,
    min: 100,
    max: 600_000,
    doc: 'How long the SMTP server may take to be reached, to greet and to answer a command, each, in milliseconds. A mail that it does not take in time is tried again.',
  },
  mail_from: {
    env: 'MAIL_FROM',
    type: 'text',
    default: null,
    doc: 'The sender of mails: `Acme <no-reply@example.com>`. By default `Millrace <no-reply@…>` at the host of `PUBLIC_URL`.',
  },
})
