import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { TestUser } from '../../../test-app.ts'
import type { Assertion, Attestation, CreationOptions, RequestOptions } from './schema.ts'

/** Something that an honest browser or authenticator would not do. */
export interface Twist {
  readonly origin?: string
  readonly rp_id?: string
  readonly challenge?: string
  readonly type?: string
  readonly cross_origin?: boolean
  /** Whether it made sure who uses it, and that somebody is there at all. */
  readonly verified?: boolean
  readonly present?: boolean
  readonly counter?: number
  readonly user_handle?: string | null
  readonly attestation?: 'none' | 'packed' | 'apple'
  readonly credential_id?: string
  /** Changes a byte of the signature. */
  readonly forged?: boolean
}

export interface Authenticator {
  readonly create: (options: CreationOptions, twist?: Twist) => Attestation
  /** Signs with the credential that is asked for, or else with the newest one for the relying party. */
  readonly get: (options: RequestOptions, twist?: Twist) => Assertion
}

interface Key {
  readonly id: string
  readonly rp_id: string
  readonly handle: string
  readonly private_key: KeyObject
  counter: number
}

/**
 * A browser with an authenticator in it, which speaks the real form of WebAuthn (level 3, sections 6.1 and 6.5): keys on P-256 or Ed25519,
 * attestation `none` or a self-signed `packed`. One that does not count says 0 always.
 */
export const createAuthenticator = (made: {
  readonly origin: string
  readonly algorithm?: 'es256' | 'ed25519'
  readonly counts?: boolean
}): Authenticator => {
  const { origin, algorithm = 'es256', counts = true } = made
  const keys: Key[] = []
  return {
    create: (options, twist = {}) => {
      const { privateKey, publicKey } =
        algorithm === 'es256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
      const key: Key = {
        id: twist.credential_id ?? randomBytes(32).toString('base64url'),
        rp_id: options.rp.id,
        handle: options.user.id,
        private_key: privateKey,
        counter: 0,
      }
      keys.push(key)
      const client = clientData('webauthn.create', options.challenge, origin, twist)
      const id = Buffer.from(key.id, 'base64url')
      const attested = Buffer.concat([Buffer.alloc(16), uint16(id.length), id, coseOf(publicKey, algorithm)])
      const data = Buffer.concat([authenticatorData(key.rp_id, 0x40, 0, twist), attested])
      const format = twist.attestation ?? 'none'
      const statement =
        format === 'none'
          ? []
          : ([
              ['alg', algorithm === 'es256' ? -7 : -8],
              ['sig', signed(key, data, client)],
            ] as const)
      const attestationObject = cbor(
        new Map<CborKey, Cbor>([
          ['fmt', format],
          ['attStmt', new Map<CborKey, Cbor>(statement)],
          ['authData', data],
        ]),
      )
      return {
        id: key.id,
        rawId: key.id,
        type: 'public-key',
        authenticatorAttachment: 'platform',
        clientExtensionResults: { credProps: { rk: true } },
        response: {
          clientDataJSON: client.toString('base64url'),
          attestationObject: attestationObject.toString('base64url'),
          transports: ['internal', 'hybrid'],
          publicKeyAlgorithm: algorithm === 'es256' ? -7 : -8,
        },
      } as Attestation
    },
    get: (options, twist = {}) => {
      const wanted = options.allowCredentials.map(({ id }) => id)
      const key = keys.findLast(({ id, rp_id }) => rp_id === options.rpId && (wanted.length === 0 || wanted.includes(id)))
      if (key === undefined) throw new Error('This authenticator has no such credential')
      if (counts) key.counter += 1
      const client = clientData('webauthn.get', options.challenge, origin, twist)
      const data = authenticatorData(key.rp_id, 0, twist.counter ?? key.counter, twist)
      const signature = signed(key, data, client)
      if (twist.forged === true) signature[signature.length - 1] = (signature.at(-1) as number) ^ 1
      return {
        id: twist.credential_id ?? key.id,
        rawId: twist.credential_id ?? key.id,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: signature.toString('base64url'),
          userHandle: twist.user_handle === undefined ? key.handle : twist.user_handle,
        },
      }
    },
  }
}

/** What an authenticator needs to make a passkey for a user, who gives their password for it. */
export const creationOptions = async (user: TestUser): Promise<CreationOptions> => {
  const { status, body } = await user.call('POST', '/api/v1/auth/passkeys/options', { body: { password: user.password } })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body
}

/** Adds a passkey through the front door; answers the reply's body. */
export const addPasskey = async (
  user: TestUser,
  device: Authenticator,
  more: object = {},
): Promise<{ readonly passkey: { readonly id: string }; readonly recovery_codes: readonly string[] | null }> => {
  const passkey = device.create(await creationOptions(user))
  const { status, body } = await user.call('POST', '/api/v1/auth/passkeys', { body: { passkey, ...more } })
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body
}

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest()

const uint16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

const clientData = (type: string, challenge: string, origin: string, twist: Twist): Buffer =>
  Buffer.from(
    JSON.stringify({
      type: twist.type ?? type,
      challenge: twist.challenge ?? challenge,
      origin: twist.origin ?? origin,
      crossOrigin: twist.cross_origin ?? false,
    }),
  )

/** Flags: user present 1, user verified 4, may be copied 8, is copied 16, a credential is attached 64. */
const authenticatorData = (rp_id: string, more: number, counter: number, twist: Twist): Buffer => {
  const flags = (twist.present === false ? 0 : 1) | (twist.verified === false ? 0 : 4) | 8 | 16 | more
  const count = Buffer.alloc(4)
  count.writeUInt32BE(counter)
  return Buffer.concat([sha256(twist.rp_id ?? rp_id), Buffer.from([flags]), count])
}

const signed = (key: Key, data: Buffer, client: Buffer): Buffer =>
  sign(key.private_key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.concat([data, sha256(client)]), key.private_key)

/** RFC 9053, sections 7.1 and 7.2. */
const coseOf = (key: KeyObject, algorithm: 'es256' | 'ed25519'): Buffer => {
  const { x, y } = key.export({ format: 'jwk' })
  const bytes = (text: string | undefined): Buffer => Buffer.from(text as string, 'base64url')
  if (algorithm === 'ed25519') {
    return cbor(
      new Map<CborKey, Cbor>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, bytes(x)],
      ]),
    )
  }
  return cbor(
    new Map<CborKey, Cbor>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, bytes(x)],
      [-3, bytes(y)],
    ]),
  )
}

type CborKey = string | number
type Cbor = string | number | Buffer | Map<CborKey, Cbor>

/** As much of CBOR (RFC 8949) as a credential needs: integers, bytes, texts and maps. */
const cbor = (value: Cbor): Buffer => {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, item]) => [cbor(key), cbor(item)])])
}

const head = (major: number, value: number): Buffer => {
  if (value < 24) return Buffer.from([(major << 5) | value])
  if (value < 256) return Buffer.from([(major << 5) | 24, value])
  return Buffer.concat([Buffer.from([(major << 5) | 25]), uint16(value)])
}
