import type { SettingDeclaration } from './config.ts'

export type SettingValue = string | number | boolean | readonly string[] | Buffer | null

/** Either the value, or what is wrong and what would be right, as the end of a sentence that begins with the variable. */
export type Parsed = { readonly ok: true; readonly value: SettingValue } | { readonly ok: false; readonly message: string }

const value = (parsed: SettingValue): Parsed => ({ ok: true, value: parsed })
const wrong = (message: string): Parsed => ({ ok: false, message })

const flags: { readonly [text: string]: boolean | undefined } = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

/** Reads a setting from its text. No message repeats the text of a secret. */
export const parseSetting = (declaration: SettingDeclaration, raw: string): Parsed => {
  const text = raw.trim()
  const got = declaration.secret ? '' : ` (it is ${JSON.stringify(text)})`
  switch (declaration.type) {
    case 'text':
      return value(text)
    case 'list':
      return value(Object.freeze(text.split(/[\s,]+/).filter(Boolean)))
    case 'flag': {
      const flag = flags[text.toLowerCase()]
      return flag === undefined ? wrong(`must be true or false${got}`) : value(flag)
    }
    case 'integer':
      return parseInteger(declaration, text, got)
    case 'choice':
      return declaration.choices.includes(text) ? value(text) : wrong(`must be one of ${declaration.choices.join(', ')}${got}`)
    case 'url':
      return parseUrl(declaration.protocols ?? ['http', 'https'], text, got)
    case 'base64':
      return parseBase64(declaration.bytes, text)
  }
}

const parseInteger = (declaration: { readonly min: number; readonly max: number }, text: string, got: string): Parsed => {
  const { min, max } = declaration
  const number = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  return number >= min && number <= max ? value(number) : wrong(`must be a whole number from ${min} to ${max}${got}`)
}

const parseUrl = (protocols: readonly string[], text: string, got: string): Parsed =>
  URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1))
    ? value(text)
    : wrong(`must be a URL that begins with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}${got}`)

/** Both alphabets of RFC 4648 are taken, with or without padding. */
const parseBase64 = (bytes: number, text: string): Parsed => {
  const expected = `must be ${bytes} random bytes in base64, as from \`openssl rand -base64 ${bytes}\``
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return wrong(`${expected}; this is not base64`)
  const buffer = Buffer.from(text, 'base64')
  return buffer.length === bytes ? value(buffer) : wrong(`${expected}; it decodes to ${buffer.length}`)
}
