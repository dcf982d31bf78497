import type { OutboundResponse } from '../../platform/outbound/outbound.ts'
import type { Addition } from './type.ts'

/** Shorter ones are no secrets, and would be found in everything. */
const shortest = 4
const mask = '[redacted]'

/** Every form in which an answer may say a credential back: as it is, in JSON, in a URL, in base64, and as the request carried it. */
export const formsOf = (credentials: { readonly [field: string]: string }, addition: Addition): readonly string[] => {
  const carried = Object.values(addition.headers ?? {}).flatMap((value) => [value, value.slice(value.indexOf(' ') + 1)])
  const values = [...Object.values(credentials), ...Object.values(addition.query ?? {}), ...carried]
  const forms = values.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    new URLSearchParams({ v: value }).toString().slice(2),
    Buffer.from(value).toString('base64'),
  ])
  // The longest first: one form may be a part of another.
  return [...new Set(forms)].filter(({ length }) => length >= shortest).toSorted((a, b) => b.length - a.length)
}

/** An answer without them, in headers and body. */
export const scrubbed = (answer: OutboundResponse, forms: readonly string[]): OutboundResponse => {
  const clean = (text: string): string => forms.reduce((rest, form) => rest.replaceAll(form, mask), text)
  const headers = Object.entries(answer.headers).map(([name, value]): [string, string | readonly string[]] => [
    clean(name),
    typeof value === 'string' ? clean(value) : value.map(clean),
  ])
  const found = forms.some((form) => answer.body.includes(form))
  // Byte for byte: what is no UTF-8 stays what it was.
  const body = found
    ? Buffer.from(
        forms.map(asBytes).reduce((rest, form) => rest.replaceAll(form, mask), answer.body.toString('latin1')),
        'latin1',
      )
    : answer.body
  return { ...answer, headers: Object.fromEntries(headers), body }
}

const asBytes = (form: string): string => Buffer.from(form).toString('latin1')
