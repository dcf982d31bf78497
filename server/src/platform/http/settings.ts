import type { SettingValues } from '../config.ts'
import { defineSettings } from '../config.ts'

export const httpSettings = defineSettings({
  host: {
    env: 'HOST',
    type: 'text',
    // A fresh clone holds nobody's data yet and has no TLS in front: it is reachable from elsewhere once its owner says so.
    default: '127.0.0.1',
    doc: 'Address to listen on. `0.0.0.0` or `::` to be reached from other machines, which a container needs.',
  },
  port: { env: 'PORT', type: 'integer', default: 3000, min: 0, max: 65_535, doc: 'Port to listen on; 0 takes a free one.' },
  public_url: {
    env: 'PUBLIC_URL',
    type: 'url',
    default: null,
    doc: 'Where clients reach this installation, as `https://app.example.com`. Links, webhook addresses and problem types are built from it; an https address also turns on HSTS and Secure cookies. By default the address listened on.',
  },
  trust_proxy: {
    env: 'TRUST_PROXY',
    type: 'text',
    default: 'off',
    doc: 'Whose `X-Forwarded-For` is believed: `off`, the number of proxies in front, or a comma-separated list of their addresses and networks (`loopback`, `10.0.0.0/8`).',
  },
  cors_origins: {
    env: 'MILLRACE_CORS_ORIGINS',
    type: 'list',
    default: [],
    doc: 'Origins whose pages may call the API from a browser, as `https://app.example.com`. Empty: only pages of this installation.',
  },
  body_limit_bytes: {
    env: 'MILLRACE_BODY_LIMIT_BYTES',
    type: 'integer',
    default: 1_048_576,
    min: 1_024,
    max: 1_073_741_824,
    doc: 'Largest request body, for routes that name no limit of their own.',
  },
  docs: { env: 'MILLRACE_DOCS', type: 'flag', default: true, doc: 'Serve the interactive documentation at `/docs`.' },
  check_replies: {
    env: 'MILLRACE_CHECK_REPLIES',
    type: 'flag',
    default: false,
    doc: 'Answer 500 instead of a reply that does not fit its own schema. For development and tests.',
  },
  max_in_flight: {
    env: 'MILLRACE_MAX_IN_FLIGHT',
    type: 'integer',
    default: 2_000,
    min: 1,
    max: 1_000_000,
    doc: 'Requests worked on at once; beyond it new ones are answered 503 with `Retry-After`.',
  },
  max_event_loop_delay_ms: {
    env: 'MILLRACE_MAX_EVENT_LOOP_DELAY_MS',
    type: 'integer',
    default: 1_000,
    min: 10,
    max: 60_000,
    doc: 'Mean delay of the event loop, over a second, from which new requests are answered 503 with `Retry-After`.',
  },
})

export type HttpSettings = SettingValues<typeof httpSettings.declarations>

/** The address of the installation without a trailing slash. `port` is the one really listened on, when it is known. */
export const publicUrl = (settings: Pick<HttpSettings, 'public_url' | 'host' | 'port'>, port = settings.port): string => {
  if (settings.public_url !== null) return settings.public_url.replace(/\/+$/, '')
  const anywhere = settings.host === '0.0.0.0' || settings.host === '::'
  const host = anywhere ? 'localhost' : settings.host.includes(':') ? `[${settings.host}]` : settings.host
  return `http://${host}:${port}`
}

/** `TRUST_PROXY` as Fastify takes it. `on` means the one proxy in front, never every sender of the header. */
export const trustProxy = (value: string): boolean | string | ((address: string, hop: number) => boolean) => {
  const text = value.trim().toLowerCase()
  if (text === '' || text === 'off' || text === 'false' || text === 'no' || text === '0') return false
  const hops = text === 'on' || text === 'true' || text === 'yes' ? 1 : /^\d{1,2}$/.test(text) ? Number(text) : null
  return hops === null ? value.trim() : (_address, hop) => hop < hops
}
