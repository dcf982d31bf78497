import { type FormField, isDay, optionsOf } from '../../../engine/nodes/trigger-form.ts'
import type { Json, JsonObject } from '../../../lib/json.ts'

export interface FieldError {
  readonly name: string
  readonly message: string
}

export interface Submission {
  /** By name, each field of the form. What is wrong is null. */
  readonly values: JsonObject
  readonly errors: readonly FieldError[]
}

/** What one field came to: its value, or what is wrong with it. */
type Read = { readonly value: Json } | { readonly wrong: string }

const wrong = (message: string): Read => ({ wrong: message })

/** As browsers check it (HTML, "valid e-mail address"), with a dot in the domain. */
const email_form =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$/
const number_form = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?$/i
const longest_email = 254

/** In characters, of a field that says nothing. */
export const longestOf = ({ type, max_length }: FormField): number =>
  type === 'email' ? longest_email : (max_length ?? (type === 'textarea' ? 10_000 : 1_000))

const lengthOf = (field: FormField, text: string): string | null => {
  const longest = longestOf(field)
  if (text.length > longest) return `Use at most ${longest} characters; it has ${text.length}.`
  const { min_length = 0 } = field
  return text.length < min_length ? `Use at least ${min_length} characters.` : null
}

const rangeOf = ({ min, max }: FormField, value: string | number): string | null => {
  if (min !== undefined && value < min) return `It must be ${min} or ${typeof min === 'number' ? 'more' : 'later'}.`
  return max !== undefined && value > max ? `It must be ${max} or ${typeof max === 'number' ? 'less' : 'earlier'}.` : null
}

const within = (value: string | number, mistake: string | null): Read => (mistake === null ? { value } : wrong(mistake))

const numberOf = (field: FormField, value: number): Read => {
  if (!Number.isFinite(value)) return wrong('Enter a number.')
  return field.integer === true && !Number.isInteger(value) ? wrong('Enter a whole number.') : within(value, rangeOf(field, value))
}

const textOf = (field: FormField, given: string): Read => {
  switch (field.type) {
    case 'textarea': {
      // Browsers send line ends as mails have them.
      const text = given.replaceAll(/\r\n?/g, '\n')
      return within(text, lengthOf(field, text))
    }
    case 'email': {
      const text = given.trim()
      if (text.length > longest_email || !email_form.test(text)) return wrong('Enter an e-mail address, as ada@example.org.')
      return { value: text }
    }
    case 'date':
      return isDay(given) ? within(given, rangeOf(field, given)) : wrong('Enter a day, as 2026-11-20.')
    case 'select':
      return optionsOf(field).some(({ value }) => value === given) ? { value: given } : wrong('Select one of the options.')
    default:
      return /[\r\n]/.test(given) ? wrong('Use one line.') : within(given, lengthOf(field, given))
  }
}

const emptyOf = ({ type, required }: FormField): Read => {
  if (required !== true) return { value: type === 'checkbox' ? false : null }
  return wrong(type === 'checkbox' ? 'Tick this to go on.' : type === 'select' ? 'Select one of the options.' : 'Fill this in.')
}

/** One field as a browser sends it; undefined when it sends none. */
const readTyped = (field: FormField, given: string | undefined): Read => {
  if (field.type === 'checkbox') return given === undefined || given === '' ? emptyOf(field) : { value: true }
  if (given === undefined || given.trim() === '') return emptyOf(field)
  if (field.type !== 'number') return textOf(field, given)
  const text = given.trim()
  return number_form.test(text) ? numberOf(field, Number(text)) : wrong('Enter a number.')
}

/** One field of a JSON object: of its own type. */
const readJson = (field: FormField, given: Json | undefined): Read => {
  const { type } = field
  if (given === undefined || given === null) return emptyOf(field)
  if (type === 'checkbox') {
    if (typeof given !== 'boolean') return wrong('It must be true or false.')
    return given ? { value: true } : emptyOf(field)
  }
  if (type === 'number') return typeof given === 'number' ? numberOf(field, given) : wrong('It must be a number.')
  if (typeof given !== 'string') return wrong('It must be a text.')
  return given.trim() === '' ? emptyOf(field) : textOf(field, given)
}

const collect = (fields: readonly FormField[], read: (field: FormField) => Read): Submission => {
  const found = fields.map((field) => [field.name, read(field)] as const)
  return {
    values: Object.fromEntries(found.map(([name, one]) => [name, 'value' in one ? one.value : null])),
    errors: found.flatMap(([name, one]) => ('wrong' in one ? [{ name, message: one.wrong }] : [])),
  }
}

/** What was typed, by name, read as the form asks for it. */
export const fromTyped = (fields: readonly FormField[], typed: ReadonlyMap<string, string>): Submission =>
  collect(fields, (field) => readTyped(field, typed.get(field.name)))

/** The same from a JSON object. What the form does not ask for is an error there. */
export const fromJson = (fields: readonly FormField[], given: JsonObject): Submission => {
  const names = new Set(fields.map(({ name }) => name))
  const strangers = Object.keys(given).filter((name) => !names.has(name))
  const { values, errors } = collect(fields, (field) => readJson(field, Object.hasOwn(given, field.name) ? given[field.name] : undefined))
  return { values, errors: [...errors, ...strangers.slice(0, 20).map((name) => ({ name, message: 'The form does not ask for it.' }))] }
}
