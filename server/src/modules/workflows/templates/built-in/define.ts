import type { JsonObject } from '../../../../lib/json.ts'
import { parameter } from '../fill.ts'
import type { Parameter, TemplateDefinition } from '../schema.ts'

/** What templates are sorted by; those of a workspace may have any word. */
export const categories = ['webhooks', 'schedules', 'reliability', 'people', 'data', 'services', 'building_blocks'] as const

/** A template that comes with the product. */
export interface BuiltIn {
  /** A slug: it never changes. */
  readonly id: string
  readonly title: string
  readonly description: string
  readonly category: (typeof categories)[number]
  readonly icon: string
  readonly parameters: readonly Parameter[]
  readonly definition: TemplateDefinition
  readonly tests?: readonly JsonObject[]
}

export const defineTemplate = (template: BuiltIn): BuiltIn => template

/** Where a webhook listens; every workflow of a workspace has a path of its own. */
export const pathParameter = (path: string): Parameter => ({
  name: 'path',
  title: 'Path of the webhook',
  description: 'What follows the workspace in its address. No two workflows of a workspace share one.',
  schema: { type: 'string', maxLength: 200 },
  default: path,
})

export const urlParameter = (name: string, title: string, description?: string): Parameter => ({
  ...{ name, title, schema: { type: 'string', format: 'uri' } },
  ...(description === undefined ? {} : { description }),
})

/** Null leaves a service without a credential. */
export const integrationParameter = (
  integration_type: string,
  name: string,
  title: string,
  options: { readonly optional?: true } = {},
): Parameter => ({
  ...{ name, title, integration_type, schema: { type: 'string', format: 'uuid' } },
  ...(options.optional === true ? { default: null } : {}),
})

export const secretParameter = (title: string, description: string): Parameter => ({
  name: 'secret_id',
  title,
  description,
  schema: { type: 'string', format: 'uuid' },
  refers_to: 'secret',
})

/** Members of the workspace who get a mail through the product's own server. */
export const recipientsParameter = (title: string): Parameter => ({
  name: 'recipients',
  title,
  description: 'Addresses or ids of members of the workspace, `owners`, or `members`.',
  schema: { type: 'array', items: { type: 'string' }, maxItems: 50 },
  default: ['owners'],
})

export const smtpParameter: Parameter = {
  name: 'smtp',
  title: 'Mail server',
  description: 'An integration of the type `smtp`; its `from` says whom the mails come from.',
  schema: { type: 'string', format: 'uuid' },
  integration_type: 'smtp',
}

export { parameter }
