import { createHash } from 'node:crypto'
import { approvalChain } from './built-in/approval-chain.ts'
import { batchEnrichment } from './built-in/batch-enrichment.ts'
import { callAFunction } from './built-in/call-a-function.ts'
import { csvToRecords } from './built-in/csv-to-records.ts'
import { dataCleanUp } from './built-in/data-clean-up.ts'
import type { BuiltIn } from './built-in/define.ts'
import { errorNotification } from './built-in/error-notification.ts'
import { fanOutFanIn } from './built-in/fan-out-fan-in.ts'
import { formApproval } from './built-in/form-approval.ts'
import { githubToSlack } from './built-in/github-to-slack.ts'
import { leadRouting } from './built-in/lead-routing.ts'
import { libraryFunction } from './built-in/library-function.ts'
import { memberWelcome } from './built-in/member-welcome.ts'
import { n8nHandOff } from './built-in/n8n-hand-off.ts'
import { pollingWithDedupe } from './built-in/polling-with-dedupe.ts'
import { retryWithDeadLetter } from './built-in/retry-with-dead-letter.ts'
import { scheduledReport } from './built-in/scheduled-report.ts'
import { stripeReceipt } from './built-in/stripe-receipt.ts'
import { uptimeCheck } from './built-in/uptime-check.ts'
import { userOnboarding } from './built-in/user-onboarding.ts'
import { waitForCallBack } from './built-in/wait-for-call-back.ts'
import { webhookIntake } from './built-in/webhook-intake.ts'
import { webhookWithReply } from './built-in/webhook-with-reply.ts'

/** THE list of the templates that come with the product, in the order in which they are shown. */
export const catalogue: readonly BuiltIn[] = [
  ...[webhookIntake, webhookWithReply, leadRouting],
  ...[scheduledReport, pollingWithDedupe, uptimeCheck],
  ...[retryWithDeadLetter, errorNotification, waitForCallBack],
  ...[approvalChain, formApproval, userOnboarding, memberWelcome],
  ...[dataCleanUp, csvToRecords, batchEnrichment],
  ...[n8nHandOff, githubToSlack, stripeReceipt],
  ...[fanOutFanIn, libraryFunction, callAFunction],
]

export const builtInById = (id: string): BuiltIn | undefined => catalogue.find((template) => template.id === id)

/** Changes when the template does, which is with a release: what its ETag is made of. */
export const revisionOf = (template: BuiltIn): number =>
  1 + (createHash('sha256').update(JSON.stringify(template)).digest().readUInt32BE(0) >>> 1)
