import { defineSettings } from '../../platform/config.ts'

export const settings = defineSettings({
  smtp_url: {
    env: 'SMTP_URL',
    type: 'url',
    protocols: ['smtp', 'smtps'],
    default: null,
    secret: true,
    doc: 'The server that delivers mails: `smtps://user:password@mail.example.com` (TLS from the start, port 465) or `smtp://user:password@mail.example.com:587` (STARTTLS, without which nothing is sent). `?tls=off` sends in the clear; to a server on this machine that is done without saying so. Without a server mails stay in the outbox, where an admin reads them: `GET /api/v1/mails`.',
  },
  mail_from: {
    env: 'MAIL_FROM',
    type: 'text',
    default: null,
    doc: 'The sender of mails: `Acme <no-reply@example.com>`. By default `Millrace <no-reply@…>` at the host of `PUBLIC_URL`.',
  },
})
