import type { Form } from './schema.ts'

interface Mistake {
  readonly path: string
  readonly message: string
}

type Field = Form['properties'][string]

const default_length = 10_000

const mistakeOf = (field: Field, value: unknown): string | null => {
  const { type, maxLength = default_length, minimum = -Infinity, maximum = Infinity } = field
  if (type === 'integer' ? !Number.isInteger(value) : typeof value !== type)
    return `must be ${type === 'integer' ? 'a whole number' : `a ${type}`}`
  if (field.enum !== undefined && !field.enum.includes(value as string | number)) return 'must be one of the given values'
  if (typeof value === 'string' && value.length > maxLength) return `must have at most ${maxLength} characters`
  if (typeof value === 'number' && (value < minimum || value > maximum)) return 'is out of range'
  return null
}

/** What is wrong with what goes with a decision. Without a form nothing may. */
export const formMistakes = (form: Form | null, given: { readonly [field: string]: unknown }): readonly Mistake[] => {
  const fields = form?.properties ?? {}
  const known = (name: string): boolean => Object.hasOwn(fields, name)
  const missing = (form?.required ?? []).filter((name) => known(name) && !Object.hasOwn(given, name))
  return [
    ...missing.map((name) => ({ path: `form.${name}`, message: 'is missing' })),
    ...Object.entries(given).flatMap(([name, value]) => {
      const message = known(name) ? mistakeOf(fields[name] as Field, value) : 'is not asked for'
      return message === null ? [] : [{ path: `form.${name.slice(0, 64)}`, message }]
    }),
  ]
}
