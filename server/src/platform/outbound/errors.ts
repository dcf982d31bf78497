import { defineErrors, Problem } from '../errors.ts'

export const errors = defineErrors('outbound', {
  bad_url: {
    status: 422,
    title: 'This is not an address that can be called.',
    doc: 'Only http and https URLs without a user name or password are called, also when a redirect names them.',
  },
  bad_request: {
    status: 422,
    title: 'The request cannot be sent as it is.',
    doc: 'The method or a header is not one that a caller may set.',
  },
  refused_address: {
    status: 422,
    title: 'This server does not call that address.',
    doc: 'Loopback, private, link-local, reserved and other special addresses are refused. `MILLRACE_OUTBOUND_ALLOW` names exceptions.',
  },
  connect_failed: { status: 502, title: 'The other side could not be reached.' },
  bad_certificate: { status: 502, title: 'The certificate of the other side is not trusted.' },
  connection_lost: { status: 502, title: 'The connection broke before the answer was complete.' },
  bad_response: { status: 502, title: 'The answer of the other side cannot be read.' },
  too_large: { status: 502, title: 'The answer of the other side is larger than allowed.' },
  too_many_redirects: { status: 502, title: 'The other side redirects too often.' },
  timeout: { status: 504, title: 'The other side did not answer in time.' },
  aborted: { status: 503, title: 'The request was given up.' },
  busy: { status: 503, title: 'This server has too many connections open.' },
})

const byTransportCode: { readonly [code: string]: keyof typeof errors } = {
  ECONNREFUSED: 'connect_failed',
  EHOSTUNREACH: 'connect_failed',
  ENETUNREACH: 'connect_failed',
  EADDRNOTAVAIL: 'connect_failed',
  ENOTFOUND: 'connect_failed',
  EAI_AGAIN: 'connect_failed',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'too_large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'bad_response',
  UND_ERR_INVALID_ARG: 'bad_request',
  UND_ERR_NOT_SUPPORTED: 'bad_request',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'bad_request',
  UND_ERR_MAX_ORIGINS_REACHED: 'busy',
  UND_ERR_DESTROYED: 'aborted',
  UND_ERR_CLOSED: 'aborted',
  UND_ERR_SOCKET: 'connection_lost',
  ECONNRESET: 'connection_lost',
  EPIPE: 'connection_lost',
}

/** Names from OpenSSL and Node for a peer whose certificate does not prove who it is. */
const certificate = /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/

/** What the HTTP client threw, as a declared error. The host is named, the path and query are not: they may hold a secret. */
export const fromTransport = (error: unknown, url: URL): Problem => {
  if (error instanceof Problem) return error
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  const details = { detail: `${url.host}: ${code || 'unknown failure'}`, cause: error }
  if (certificate.test(code)) return errors.bad_certificate(details)
  if (code.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError')) return errors.bad_response(details)
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO') return errors.connect_failed(details)
  const key = byTransportCode[code]
  if (key !== undefined) return errors[key](details)
  // The operating system has more words than the table for "no way there": what it says of connecting or resolving is that.
  if (error instanceof Error && 'syscall' in error) return errors.connect_failed(details)
  throw error
}
