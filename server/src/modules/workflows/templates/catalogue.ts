import { createHash } from 'node:crypto'
import type { BuiltIn } from './built-in/define.ts'
import { dataCleanUp } from './built-in/data-clean-up.ts'
import { fanOutFanIn } from './built-in/fan-out-fan-in.ts'
import { retryWithDeadLetter } from './built-in/retry-with-dead-letter.ts'
import { webhookIntake } from './built-in/webhook-intake.ts'
import { webhookWithReply } from './built-in/webhook-with-reply.ts'

/** THE list of the templates that come with the product, in the order in which they are shown. */
export const catalogue: readonly BuiltIn[] = [webhookIntake, webhookWithReply, retryWithDeadLetter, fanOutFanIn, dataCleanUp]

export const builtInById = (id: string): BuiltIn | undefined => catalogue.find((template) => template.id === id)

/** Changes when the template does, which is with a release: what its ETag is made of. */
export const revisionOf = (template: BuiltIn): number =>
  1 + (createHash('sha256').update(JSON.stringify(template)).digest().readUInt32BE(0) >>> 1)
