import { Type } from 'typebox'
import { parseJsonText } from '../../../lib/json-text.ts'
import { isJsonObject } from '../../../lib/json.ts'
import type { OutboundResponse } from '../../../platform/outbound/outbound.ts'
import { originsOf } from '../hosts.ts'
import { AllowedHosts, BaseUrl, below, defineType, SecretField, type Verdict } from '../type.ts'
import { call, failing, fine, verdictOf } from '../verdict.ts'
import { bearer } from './api-key.ts'

/** Slack answers 200 with `ok: false`; its error is a word from a fixed list, `invalid_auth` for one. */
const judge = (answer: OutboundResponse): Verdict => {
  const verdict = verdictOf(answer)
  if (verdict.status !== 'ok') return verdict
  const said = read(answer.body.toString())
  if (said?.['ok'] === true) return fine
  const error = said?.['error']
  return failing(`Slack refuses the token: ${typeof error === 'string' && /^[a-z_]{1,50}$/.test(error) ? error : 'without a reason'}.`)
}

const read = (text: string) => {
  try {
    const value = parseJsonText(text, 16)
    return isJsonObject(value) ? value : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

export const slack = defineType({
  type: 'slack',
  title: 'Slack',
  doc: 'A bot token of an app that is installed in your Slack workspace.',
  config: Type.Object({ base_url: BaseUrl('https://slack.com/api'), allowed_hosts: Type.Optional(AllowedHosts) }),
  credentials: Type.Object({ token: SecretField('Begins with `xoxb-`.') }),
  hosts: originsOf,
  sign: (_, { token }) => ({ headers: bearer(token) }),
  test: (io, { base_url }, { token }) => call(io, { method: 'POST', url: below(base_url, '/auth.test'), headers: bearer(token) }, judge),
})
