import { createHash } from 'node:crypto'
import { Type } from 'typebox'
import { BaseUrl, below, defineType, SecretField } from '../type.ts'
import { call } from '../verdict.ts'

/** As PHP's `urlencode` writes it, which the service compares with. */
const encode = (text: string): string =>
  encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** The signature of the API: MD5 over headers and passphrase, ordered by their names ("Signature generation" of its documentation). */
const signatureOf = (fields: { readonly [name: string]: string }): string => {
  const text = Object.entries(fields)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${encode(value)}`)
    .join('&')
  return createHash('md5').update(text).digest('hex')
}

export const payfast = defineType({
  type: 'payfast',
  title: 'Payfast',
  doc: 'The merchant id and the passphrase from the settings of the account. The sandbox has its own.',
  config: Type.Object({
    base_url: BaseUrl('https://api.payfast.co.za'),
    merchant_id: Type.String({ pattern: '^[0-9]{1,20}$' }),
    sandbox: Type.Optional(Type.Boolean({ default: false })),
  }),
  credentials: Type.Object({ passphrase: SecretField('From Settings, Developer settings.') }),
  hosts: () => [],
  elsewhere: ({ base_url }) => [base_url],
  test: (io, { base_url, merchant_id, sandbox }, { passphrase }) => {
    // The service reads the time as South Africa's, ISO 8601 to the second.
    const timestamp = `${new Date(io.app.now() + 7_200_000).toISOString().slice(0, 19)}+02:00`
    const fields = { 'merchant-id': merchant_id, version: 'v1', timestamp }
    const headers = { ...fields, signature: signatureOf({ ...fields, passphrase }) }
    return call(io, { url: below(base_url, sandbox === true ? '/ping?testing=true' : '/ping'), headers })
  },
})
