import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import type { JsonObject } from '../../lib/json.ts'
import { trigger } from '../node.ts'

const one_of = <const Entry extends string>(values: readonly Entry[], options: { description?: string; default?: Entry } = {}) =>
  Type.Unsafe<Entry>({ type: 'string', format: 'literal', enum: [...values], ...options })

const text = (maxLength: number, options: { readonly description?: string; readonly pattern?: string; readonly minLength?: number } = {}) =>
  Type.String({ format: 'literal', maxLength, ...options })

const Label = (description: string) => text(200, { minLength: 1, pattern: '\\S', description })

export const fieldTypes = ['text', 'textarea', 'number', 'email', 'date', 'select', 'checkbox'] as const

const Option = Type.Union([
  text(200, { minLength: 1 }),
  Type.Object({ value: text(200, { minLength: 1 }), label: Label('What is shown.') }, { additionalProperties: false }),
])

const Bound = (description: string) => Type.Optional(Type.Union([Type.Number(), text(10)], { description }))

export const FormField = Type.Object(
  {
    name: text(64, { pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$', description: 'What it is in `trigger.fields`.' }),
    label: Label('What stands above it.'),
    type: one_of(fieldTypes),
    required: Type.Optional(Type.Boolean({ description: 'Of a checkbox: it has to be ticked.' })),
    description: Type.Optional(text(500, { description: 'A line that helps to fill it in.' })),
    placeholder: Type.Optional(text(200)),
    default: Type.Optional(Type.Union([text(10_000), Type.Number(), Type.Boolean()], { description: 'What stands there at first.' })),
    options: Type.Optional(
      Type.Array(Option, { minItems: 1, maxItems: 200, description: '`select`: texts, or `{ value, label }` where the two differ.' }),
    ),
    min: Bound('`number`: the least; `date`: the first day, as `2026-11-20`.'),
    max: Bound('`number`: the most; `date`: the last day.'),
    integer: Type.Optional(Type.Boolean({ description: '`number`: a whole one.' })),
    min_length: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000, description: '`text` and `textarea`, in characters.' })),
    max_length: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: '`text` and `textarea`: 1,000 and 10,000 when not given.' }),
    ),
  },
  { additionalProperties: false },
)
export type FormField = Static<typeof FormField>

export const FormConfig = Type.Object(
  {
    path: Type.String({
      format: 'literal',
      maxLength: 200,
      pattern: '^[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$',
      description: 'What follows the workspace in the address: `/forms/<workspace>/<path>`.',
    }),
    title: Label('Above the form.'),
    description: Type.Optional(text(5_000, { description: 'Plain text between the title and the form; lines are kept.' })),
    fields: Type.Array(FormField, { minItems: 1, maxItems: 50 }),
    submit_label: Type.Optional(text(100, { minLength: 1, pattern: '\\S', description: 'On the button; `Send` when not given.' })),
    success_message: Type.Optional(text(2_000, { minLength: 1, description: 'Shown when it was sent.' })),
    respond: Type.Optional(
      one_of(['immediate', 'last_node'], {
        default: 'immediate',
        description:
          'Thank at once, or wait for the end: then what is shown is the output of the last node where that is a text or has a text `message`.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type FormConfig = Static<typeof FormConfig>

/** Of a `select`: what is sent, and what is shown. */
export const optionsOf = (field: Pick<FormField, 'options'>): readonly { readonly value: string; readonly label: string }[] =>
  (field.options ?? []).map((option) => (typeof option === 'string' ? { value: option, label: option } : option))

/** A day that there is, as `2026-11-20`. */
export const isDay = (value: unknown): value is string => {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return false
  const time = Date.parse(`${value}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value)
}

type Mistake = { readonly field: string; readonly message: string }

/** Which members of a field belong to which types. */
const belongs: { readonly [member: string]: readonly FormField['type'][] } = {
  options: ['select'],
  min: ['number', 'date'],
  max: ['number', 'date'],
  integer: ['number'],
  min_length: ['text', 'textarea'],
  max_length: ['text', 'textarea'],
  placeholder: ['text', 'textarea', 'number', 'email'],
}

const boundMistakes = ({ type, min, max, min_length = 0, max_length = 10_000 }: FormField): readonly Mistake[] => {
  if (min_length > max_length) return [{ field: 'max_length', message: 'It is less than "min_length"' }]
  const wrong = (['min', 'max'] as const).filter((name) => {
    const bound = name === 'min' ? min : max
    return bound !== undefined && (type === 'date' ? !isDay(bound) : typeof bound !== 'number')
  })
  const message = type === 'date' ? 'It must be a day, as "2026-11-20"' : 'It must be a number'
  if (wrong.length > 0) return wrong.map((field) => ({ field, message }))
  return min !== undefined && max !== undefined && min > max ? [{ field: 'max', message: 'It is less than "min"' }] : []
}

const defaultMistake = (field: FormField): string | null => {
  const { type, default: value } = field
  if (value === undefined) return null
  if (type === 'checkbox') return typeof value === 'boolean' ? null : 'It must be true or false'
  if (type === 'number') return typeof value === 'number' ? null : 'It must be a number'
  if (typeof value !== 'string') return 'It must be a text'
  if (type === 'date') return isDay(value) ? null : 'It must be a day, as "2026-11-20"'
  return type !== 'select' || optionsOf(field).some((option) => option.value === value) ? null : 'It must be one of the options'
}

const fieldMistakes = (field: FormField): readonly Mistake[] => {
  const { type } = field
  const strangers = Object.keys(belongs).filter((name) => Object.hasOwn(field, name) && !belongs[name]?.includes(type))
  if (strangers.length > 0) return strangers.map((name) => ({ field: name, message: `A field of type "${type}" has no "${name}"` }))
  const values = optionsOf(field).map(({ value }) => value)
  if (type === 'select' && values.length === 0) return [{ field: 'options', message: 'It says nothing to select from' }]
  if (new Set(values).size < values.length) return [{ field: 'options', message: 'Two of its options have the same value' }]
  const wrong = defaultMistake(field)
  return [...boundMistakes(field), ...(wrong === null ? [] : [{ field: 'default', message: wrong }])]
}

export const formTrigger = trigger({
  type: 'trigger.form',
  title: 'Form',
  description: 'A page with a form; each time it is sent, the workflow starts. It works without scripts, for anybody who has its address.',
  icon: 'clipboard-list',
  config: FormConfig,
  check: (config: JsonObject) => {
    if (!Value.Check(FormConfig, config)) return [{ path: '', message: 'A form is the same for all: it takes no expressions' }]
    const seen = new Set<string>()
    return config.fields.flatMap((field, index) => {
      const at = `/fields/${index}`
      const twice = seen.has(field.name) ? [{ path: `${at}/name`, message: `There are two fields called "${field.name}"` }] : []
      seen.add(field.name)
      return [...twice, ...fieldMistakes(field).map(({ field: name, message }) => ({ path: `${at}/${name}`, message }))]
    })
  },
  output: Type.Object({
    fields: Type.Record(Type.String(), Type.Unknown(), {
      description: 'By name: numbers as numbers, checkboxes as true or false, days as `2026-11-20`; null for what was left empty.',
    }),
    submitted_at: Type.String({ format: 'date-time' }),
    form: Type.String({ description: 'Its path.' }),
  }),
  example: {
    config: {
      path: 'contact',
      title: 'Write to us',
      fields: [
        { name: 'email', label: 'Your address', type: 'email', required: true },
        { name: 'topic', label: 'What is it about?', type: 'select', options: ['An order', 'Something else'] },
        { name: 'text', label: 'Your message', type: 'textarea', required: true, max_length: 2_000 },
      ],
      submit_label: 'Send it',
      success_message: 'Thank you. We will write back within two days.',
    },
    trigger: {
      fields: { email: 'ada@example.org', topic: 'An order', text: 'Where is it?' },
      submitted_at: '2026-11-20T08:00:00.000Z',
      form: 'contact',
    },
  },
})
