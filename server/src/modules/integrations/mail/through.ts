import { createHash } from 'node:crypto'
import { NodeFailure, type NodeIo } from '../../../engine/node.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { Problem } from '../../../platform/errors.ts'
import { isAddress, oneLine, parseSender, refusalOf, type Sender } from '../../mail/mail.ts'
import { asFailure } from '../credential.ts'
import { errors } from '../errors.ts'
import { type Opened, openForUse } from '../opened.ts'
import { formsOf } from '../scrub.ts'
import type { Letter } from './schema.ts'
import { openTransport, type SmtpConfig } from './transport.ts'

const timeout_ms = 30_000

const openSmtp = async ({ app, workspace_id }: NodeIo, id: string): Promise<Opened> => {
  try {
    const opened = await openForUse(app.asSystem('a workflow sends a mail', workspace_id), id)
    if (opened.type.type !== 'smtp') throw errors.not_usable({ detail: `An integration of the type ${opened.type.type} sends no mails.` })
    return opened
  } catch (error) {
    throw asFailure(error)
  }
}

const senderOf = (letter: Letter, { row }: Opened): Sender => {
  const { from, username } = row.config
  const given = letter.from ?? (typeof from === 'string' ? from : typeof username === 'string' && isAddress(username) ? username : null)
  const sender = given === null ? null : parseSender(given)
  if (sender !== null) return sender
  throw new NodeFailure({
    code: 'mail.no_sender',
    message: given === null ? 'Nobody says whom it comes from: give the step or the integration a "from"' : '"from" is no address',
  })
}

const checked = (addresses: readonly string[]): readonly string[] => {
  const wrong = addresses.find((address) => !isAddress(address))
  if (wrong !== undefined)
    throw new NodeFailure({ code: 'mail.address_invalid', message: `${JSON.stringify(oneLine(wrong, 100))} is no address` })
  return addresses
}

/** The same for every attempt, so that who gets a mail twice can tell (RFC 5322, section 3.6.4). */
const messageIdOf = ({ idempotency_key }: NodeIo, { address }: Sender): string =>
  `<${createHash('sha256').update(idempotency_key).digest('hex').slice(0, 32)}@${address.slice(address.indexOf('@') + 1)}>`

interface Sent {
  readonly accepted?: readonly (string | { readonly address: string })[]
  readonly rejectedErrors?: readonly { readonly recipient?: string; readonly response?: string; readonly message: string }[]
}

const addressOf = (given: string | { readonly address: string }): string => (typeof given === 'string' ? given : given.address)

/**
 * Sends a mail through a mail server of the workspace's. Throws a `NodeFailure`: retryable while the server cannot be reached or asks for patience
 * (4xx), not where it refuses the mail or the credentials (5xx).
 */
export const sendThrough = async (integration_id: string, letter: Letter, io: NodeIo): Promise<JsonObject> => {
  const opened = await openSmtp(io, integration_id)
  const sender = senderOf(letter, opened)
  const [to, cc, bcc] = [checked(letter.to), checked(letter.cc), checked(letter.bcc)]
  const reply_to = letter.reply_to === null ? [] : checked([letter.reply_to])
  const message_id = messageIdOf(io, sender)
  const clean = cleaning(opened)
  const transport = await openTransport(
    io.app,
    opened.row.config as unknown as SmtpConfig,
    opened.credentials['password'],
    timeout_ms,
  ).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    throw new NodeFailure({ code: error.code, message: error.message, retryable: error.declaration.status >= 500 })
  })
  try {
    const named = (addresses: readonly string[]) => addresses.map((address) => ({ name: '', address }))
    const sent = (await transport.sendMail({
      from: { ...sender },
      ...{ to: named(to), cc: named(cc), replyTo: named(reply_to) },
      envelope: { from: sender.address, to: [...to, ...cc, ...bcc] },
      ...{ subject: letter.subject, text: letter.text, messageId: message_id, date: new Date(io.app.now()) },
      ...(letter.html === null ? {} : { html: letter.html }),
      // RFC 3834: no out-of-office reply to this.
      headers: { 'Auto-Submitted': 'auto-generated' },
      signal: io.signal,
    })) as Sent
    return {
      message_id,
      accepted: (sent.accepted ?? []).map(addressOf),
      rejected: (sent.rejectedErrors ?? []).map(({ recipient = '', response, message }) => ({
        address: recipient,
        reason: clean(response ?? message),
      })),
    }
  } catch (error) {
    io.signal.throwIfAborted()
    throw failureOf(error, clean)
  } finally {
    transport.close()
  }
}

/** What a server says may hold what it was told. */
const cleaning = ({ credentials, row }: Opened): ((text: string) => string) => {
  const { password = '' } = credentials
  const { username } = row.config
  const signedIn = Buffer.from(`\0${typeof username === 'string' ? username : ''}\0${password}`).toString('base64')
  const forms = [signedIn, ...formsOf(credentials, {})]
  return (text) => oneLine(password === '' ? text : forms.reduce((rest, form) => rest.replaceAll(form, '[redacted]'), text), 300)
}

const failureOf = (error: unknown, clean: (text: string) => string): NodeFailure => {
  const { permanent, reply, reason, wait_ms } = refusalOf(error)
  const code = error instanceof Error && 'code' in error ? error.code : ''
  // A wrong password stays wrong; a server that could not look it up says so with 4xx.
  const isRefused = (code === 'EAUTH' || code === 'ENOAUTH') && (reply === null || reply >= 500)
  return new NodeFailure({
    code: isRefused ? 'mail.auth' : permanent ? 'mail.refused' : 'mail.not_taken',
    message: isRefused
      ? 'The mail server does not accept the user name or the password'
      : `The mail server did not take the mail: ${clean(reason)}`,
    retryable: !permanent && !isRefused,
    ...(wait_ms > 0 ? { retry_after_ms: wait_ms } : {}),
    details: { reply },
  })
}
