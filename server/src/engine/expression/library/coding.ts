import { createHash, createHmac } from 'node:crypto'
import { checkedText, isList, isMap, keysOf, spend, toJson, type Budget, type Value } from '../value.ts'
import { define, wrongArgument, type LibraryFunction } from './function.ts'
import { textOfValue } from '../text.ts'

const decodeJson = (budget: Budget, text: string): Value => {
  spend(budget, text.length >> 2)
  try {
    return JSON.parse(text) as Value
  } catch {
    throw wrongArgument('The text is not JSON')
  }
}

const decodeBase64 = (text: string, alphabet: 'base64' | 'base64url'): string => {
  const pattern = alphabet === 'base64' ? /^[A-Za-z0-9+/]*={0,2}$/ : /^[A-Za-z0-9_-]*={0,2}$/
  if (!pattern.test(text)) throw wrongArgument(`The text is not ${alphabet}`)
  const bytes = Buffer.from(text, alphabet)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw wrongArgument('The bytes are not text in UTF-8')
  }
}

const query = (budget: Budget, map: { readonly [key: string]: Value }): string => {
  const parameters = new URLSearchParams()
  for (const key of keysOf(map, budget)) {
    const value = map[key] as Value
    for (const each of isList(value) ? value : [value]) {
      const text = textOfValue(each, budget)
      spend(budget, 4 + ((key.length + text.length) >> 2))
      parameters.append(key, text)
    }
  }
  return checkedText(parameters.toString())
}

const parseUrl = (budget: Budget, text: string): Value => {
  spend(budget, text.length >> 2)
  if (!URL.canParse(text)) throw wrongArgument('The text is not a complete URL')
  const url = new URL(text)
  const parameters = new Map<string, string | string[]>()
  for (const [key, value] of url.searchParams) {
    spend(budget, 4)
    const before = parameters.get(key)
    if (before === undefined) parameters.set(key, value)
    else if (typeof before === 'string') parameters.set(key, [before, value])
    else before.push(value)
  }
  return {
    protocol: url.protocol.slice(0, -1),
    host: url.hostname,
    port: url.port === '' ? null : Number(url.port),
    path: url.pathname,
    query: Object.fromEntries(parameters),
    fragment: url.hash.slice(1),
  }
}

const decodeUrl = (text: string): string => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw wrongArgument('The text has a "%" that is not followed by the code of a character')
  }
}

/** Called with their first name only: `json.encode(x)`. */
export const codingFunctions: { readonly [name: string]: LibraryFunction } = {
  string: define('A value as text; lists and objects as JSON.', ['any'], 'string', (budget, value) => textOfValue(value, budget)),
  'json.encode': define('A value as JSON text.', ['any'], 'string', (budget, value) => checkedText(JSON.stringify(toJson(value, budget)))),
  'json.decode': define('The value of a JSON text.', ['string'], null, decodeJson),
  'base64.encode': define('A text’s UTF-8 bytes in base64.', ['string'], 'string', (_, text) =>
    checkedText(Buffer.from(text, 'utf8').toString('base64')),
  ),
  'base64.decode': define('The text that base64 stands for.', ['string'], 'string', (_, text) => decodeBase64(text, 'base64')),
  'base64url.encode': define('A text’s UTF-8 bytes in base64url, without padding.', ['string'], 'string', (_, text) =>
    checkedText(Buffer.from(text, 'utf8').toString('base64url')),
  ),
  'base64url.decode': define('The text that base64url stands for.', ['string'], 'string', (_, text) => decodeBase64(text, 'base64url')),
  'hash.sha256': define('SHA-256 of a text’s UTF-8 bytes, in hex.', ['string'], 'string', (budget, text) => {
    spend(budget, 20 + (text.length >> 3))
    return createHash('sha256').update(text, 'utf8').digest('hex')
  }),
  'hash.hmac': define(
    'HMAC-SHA-256 of a text under a key, in hex: `hash.hmac(key, text)`.',
    ['string', 'string'],
    'string',
    (budget, key, text) => {
      spend(budget, 20 + ((key.length + text.length) >> 3))
      return createHmac('sha256', Buffer.from(key, 'utf8')).update(text, 'utf8').digest('hex')
    },
  ),
  'url.encode': define('A text as part of a URL.', ['string'], 'string', (_, text) => checkedText(encodeURIComponent(text.toWellFormed()))),
  'url.decode': define('The text that part of a URL stands for.', ['string'], 'string', (_, text) => decodeUrl(text)),
  'url.parse': define('A URL in parts: protocol, host, port, path, query, fragment.', ['string'], 'map', parseUrl),
  'url.query': define('An object as the query of a URL.', ['any'], 'string', (budget, value) => {
    if (isMap(value)) return query(budget, value)
    throw wrongArgument('url.query() takes an object')
  }),
}
