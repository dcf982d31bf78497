import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { secrets } from '../../../platform/secrets.ts'
import { defineService } from '../../../platform/service.ts'

/** How long a page that was opened can be sent. */
export const token_life_ms = 24 * 3_600_000

/** What stands in a form that we have shown: which one it is, when, and a number that no other has. */
export interface FormTokens {
  readonly give: (address: string, now: number) => string
  /** The number of a token of this form that is not too old; else null. */
  readonly read: (token: string, address: string, now: number) => string | null
}

const form = /^([0-9a-z]{1,9})\.([\w-]{22})\.([\w-]{32})$/

/** `<milliseconds in base 36>.<16 random bytes>.<24 bytes of HMAC-SHA256>`; nothing is kept of what was given. */
export const formTokens = defineService<FormTokens>({
  name: 'workflows.form_tokens',
  create: async (app) => {
    const key = await app.use(secrets).getOrCreate('workflows.form_key', () => randomBytes(32).toString('base64'))
    const proofOf = (address: string, at: string, number: string): Buffer =>
      createHmac('sha256', key)
        .update(JSON.stringify(['form', address, at, number]))
        .digest()
        .subarray(0, 24)
    return {
      give: (address, now) => {
        const at = now.toString(36)
        const number = randomBytes(16).toString('base64url')
        return `${at}.${number}.${proofOf(address, at, number).toString('base64url')}`
      },
      read: (token, address, now) => {
        const [, at, number, proof] = form.exec(token) ?? []
        if (at === undefined || number === undefined || proof === undefined) return null
        if (!timingSafeEqual(Buffer.from(proof, 'base64url'), proofOf(address, at, number))) return null
        return now - Number.parseInt(at, 36) <= token_life_ms ? number : null
      },
    }
  },
})
