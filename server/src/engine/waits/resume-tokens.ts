import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { httpService } from '../../platform/http/http-service.ts'
import { secrets } from '../../platform/secrets.ts'
import { defineService } from '../../platform/service.ts'

/** Where an execution is told to go on: an address that nobody can guess, and nobody has to remember. */
export interface ResumeTokens {
  readonly urlFor: (execution_id: string) => string
  /** The execution that a token is for; null for one that we never gave. */
  readonly read: (token: string) => string | null
}

const form = /^mlrw_([0-9a-f]{32})_([\w-]{32})$/

/** `mlrw_<execution>_<24 bytes of HMAC-SHA256>`. */
export const resumeTokens = defineService<ResumeTokens>({
  name: 'engine.resume_tokens',
  create: async (app) => {
    const key = await app.use(secrets).getOrCreate('engine.resume_key', () => randomBytes(32).toString('base64'))
    const proofOf = (hex: string): Buffer => createHmac('sha256', key).update(`resume ${hex}`).digest().subarray(0, 24)
    return {
      urlFor: (execution_id) => {
        const hex = execution_id.replaceAll('-', '')
        return `${app.use(httpService).url()}/resume/mlrw_${hex}_${proofOf(hex).toString('base64url')}`
      },
      read: (token) => {
        const [, hex, proof] = form.exec(token) ?? []
        if (hex === undefined || proof === undefined || !timingSafeEqual(Buffer.from(proof, 'base64url'), proofOf(hex))) return null
        return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
      },
    }
  },
})
