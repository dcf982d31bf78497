import { effect, NodeFailure } from '../../../engine/node.ts'
import { oneLine } from '../../mail/mail.ts'
import { sendToMembers } from './members.ts'
import { type Letter, MailConfig, MailOutput } from './schema.ts'
import { sendThrough } from './through.ts'

const most_recipients = 50

const wrong = (message: string): NodeFailure => new NodeFailure({ code: 'mail.wrong', message })

const listOf = (given: string | readonly string[] | undefined): readonly string[] =>
  given === undefined ? [] : [given].flat().map((text) => text.trim())

const letterOf = ({ to, cc, bcc, reply_to, from, subject, text, html }: MailConfig): Letter => {
  const lists = { to: listOf(to), cc: listOf(cc), bcc: listOf(bcc) }
  const count = lists.to.length + lists.cc.length + lists.bcc.length
  if (lists.to.length === 0) throw wrong('It goes to nobody: "to" is empty')
  if (count > most_recipients) throw wrong(`It goes to ${count} addresses; ${most_recipients} are allowed`)
  return { ...lists, reply_to: reply_to ?? null, from: from ?? null, subject: oneLine(subject, 200), text, html: html ?? null }
}

export const mailSend = effect({
  type: 'mail.send',
  title: 'Send a mail',
  description:
    'Sends a mail through a mail server of the workspace’s own, or to members of the workspace through the product’s. A mail has one `Message-ID`, however often it is tried; what the server refuses for good is not tried again.',
  icon: 'mail',
  config: MailConfig,
  check: (config) =>
    'integration_id' in config
      ? []
      : ['from', 'cc', 'bcc', 'reply_to', 'html']
          .filter((field) => field in config)
          .map((field) => ({ path: `/${field}`, message: 'Only a mail through an integration has this; the product writes its own' })),
  output: MailOutput,
  example: {
    config: {
      integration_id: '01a1f956-2339-7218-a618-cafa895d0845',
      from: 'Acme <orders@example.com>',
      to: '{{ trigger.body.email }}',
      subject: 'Your order {{ trigger.body.id }}',
      text: 'Dear {{ trigger.body.name }},\n\nit is on its way.',
    },
    trigger: { body: { id: 7, email: 'ada@example.org', name: 'Ada' } },
  },
  run: async ({ config }, io) => {
    const letter = letterOf(config)
    return {
      output: config.integration_id === undefined ? await sendToMembers(letter, io) : await sendThrough(config.integration_id, letter, io),
    }
  },
})
