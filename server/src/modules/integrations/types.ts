import type { IntegrationType } from './type.ts'
import { anthropic } from './types/anthropic.ts'
import { assemblyai } from './types/assemblyai.ts'
import { aws } from './types/aws.ts'
import { deepgram } from './types/deepgram.ts'
import { http } from './types/http.ts'
import { n8n } from './types/n8n.ts'
import { oauth2 } from './types/oauth2.ts'
import { openaiCompatible } from './types/openai-compatible.ts'
import { openai } from './types/openai.ts'
import { payfast } from './types/payfast.ts'
import { postgres } from './types/postgres.ts'
import { s3 } from './types/s3.ts'
import { slack } from './types/slack.ts'
import { smtp } from './types/smtp.ts'
import { stripe } from './types/stripe.ts'

/** THE list of what can be connected. */
export const types: readonly IntegrationType[] = [
  ...[http, oauth2, n8n, slack, smtp, s3, aws, postgres],
  ...[openai, anthropic, openaiCompatible, deepgram, assemblyai, stripe, payfast],
]

export const typeOf = (name: string): IntegrationType | undefined => types.find(({ type }) => type === name)
