import { createHash, createHmac } from 'node:crypto'

export interface AwsKeys {
  readonly access_key_id: string
  readonly secret_access_key: string
  readonly session_token?: string | undefined
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** RFC 3986: everything but the unreserved characters. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/**
 * Headers that sign a request for AWS and for what speaks like it: Signature Version 4, "Create a signed AWS API request" of the IAM user
 * guide. The path is signed as it stands in the URL. `now` is in Unix milliseconds.
 */
export const signAws = (
  request: { readonly method: string; readonly url: URL; readonly headers?: { readonly [name: string]: string }; readonly body?: string },
  keys: AwsKeys,
  scope: { readonly region: string; readonly service: string; readonly now: number },
): { readonly [name: string]: string } => {
  const { method, url, body = '' } = request
  const time = new Date(scope.now).toISOString().replaceAll(/[:-]|\.\d{3}/g, '')
  const day = time.slice(0, 8)
  const payload = sha256(body)
  const headers: { [name: string]: string } = { ...request.headers, 'x-amz-date': time, 'x-amz-content-sha256': payload }
  if (keys.session_token !== undefined) headers['x-amz-security-token'] = keys.session_token
  const signed: [string, string][] = Object.entries({ ...headers, host: url.host })
    .map(([name, value]): [string, string] => [name.toLowerCase(), value.trim()])
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  const names = signed.map(([name]) => name).join(';')
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted()
    .join('&')
  const canonical = [method, url.pathname, query, ...signed.map(([name, value]) => `${name}:${value}`), '', names, payload].join('\n')
  const place = `${day}/${scope.region}/${scope.service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, place, sha256(canonical)].join('\n')
  const key = [scope.region, scope.service, 'aws4_request'].reduce(hmac, hmac(`AWS4${keys.secret_access_key}`, day))
  const signature = hmac(key, text).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${keys.access_key_id}/${place}, SignedHeaders=${names}, Signature=${signature}`
  return { ...headers, authorization }
}
