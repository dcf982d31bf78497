import { isIP } from 'node:net'
import { httpSettings, publicUrl } from '../../platform/http/settings.ts'
import { defineService } from '../../platform/service.ts'
import { StartError } from '../../platform/start-error.ts'
import { parseSender, type Sender } from './address.ts'
import { settings } from './settings.ts'

/** Whom this installation's mails come from. */
export const sender = defineService<Sender>({
  name: 'mail.sender',
  create: (app) => {
    const { mail_from } = app.settings(settings)
    if (mail_from === null) return { name: 'Millrace', address: `no-reply@${hostOf(publicUrl(app.settings(httpSettings)))}` }
    const parsed = parseSender(mail_from)
    if (parsed !== null) return parsed
    throw new StartError('MAIL_FROM is not an address.', 'Set it to an address, or to a name and an address: Acme <no-reply@example.com>.')
  },
})

/** An address of the network cannot stand after the @ as it is. */
const hostOf = (url: string): string => {
  const { hostname } = new URL(url)
  return hostname.startsWith('[') || isIP(hostname) !== 0 ? 'localhost' : hostname
}
