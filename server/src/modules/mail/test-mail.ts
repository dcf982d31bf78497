import type { Ctx } from '../../platform/context.ts'
import { httpErrors } from '../../platform/http/errors.ts'
import { httpService } from '../../platform/http/http-service.ts'
import { tested } from './events.ts'
import { send, write } from './mail.ts'

/** Sends a mail to the caller's own address, to see whether mails arrive. */
export const sendTest = async (ctx: Ctx): Promise<{ readonly id: string }> => {
  const { actor } = ctx
  if (actor.type !== 'user') throw httpErrors.unauthenticated()
  const addressOf = ctx.modules.find((module) => module.addressOf)?.addressOf
  const system = ctx.asSystem('a test mail goes to whoever asks for it', ctx.workspace_id ?? undefined)
  const to = await addressOf?.(system, actor.user_id)
  if (to === undefined || to === null) throw new Error('no module knows the addresses of users')
  const url = ctx.use(httpService).url()
  const written = write({
    subject: 'A test mail from Millrace',
    paragraphs: [`This installation can send mails: ${url}`],
    notes: ['Somebody who is signed in with your account asked for it.'],
  })
  return system.tx(async (tx) => {
    const mail = await send(tx, { ...written, to, kind: 'mail.test', user_id: actor.user_id, workspace_id: ctx.workspace_id })
    tx.emit(tested, { mail_id: mail.id, kind: 'mail.test' })
    return mail
  })
}
