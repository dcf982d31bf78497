import nodemailer from 'nodemailer'
import type { App } from '../../../platform/context.ts'
import { outbound } from '../../../platform/outbound/outbound.ts'

export const tlsModes = ['from_start', 'required', 'off'] as const

/** How a mail server is reached, as the configuration of an integration says. */
export interface SmtpConfig {
  readonly host: string
  readonly port: number
  readonly tls: (typeof tlsModes)[number]
  readonly username?: string | undefined
}

/**
 * A way to a mail server that somebody named, for one use: it connects to an address that may be called, and to no other. Throws a `Problem`
 * where there is none.
 */
export const openTransport = async (app: App, config: SmtpConfig, password: string | undefined, timeout_ms: number) => {
  const address = await app.use(outbound).address(config.host, config.port)
  const time = { connectionTimeout: timeout_ms, greetingTimeout: timeout_ms, socketTimeout: timeout_ms }
  return nodemailer.createTransport({
    ...{ host: address, port: config.port, secure: config.tls === 'from_start', ...time },
    ...{ requireTLS: config.tls === 'required', ignoreTLS: config.tls === 'off', allowInternalNetworkInterfaces: true },
    // Nothing in a mail may name a file of this machine or an address to fetch.
    ...{ disableFileAccess: true, disableUrlAccess: true },
    tls: { servername: config.host },
    ...(config.username === undefined ? {} : { auth: { user: config.username, pass: password ?? '' }, forceAuth: true }),
  })
}
