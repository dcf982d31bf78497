import { type Budget, Duration, Fault, Instant, isList, isMap, type Kind, type Value, type ValueMap } from '../value.ts'
import { parseDuration, parseInstant } from './time-text.ts'

/** What a parameter takes; with `?` it may be left out. `time` and `length` take what JSON gives for them: text, or milliseconds. */
interface Takes {
  readonly any: Value
  readonly string: string
  readonly number: number
  readonly list: readonly Value[]
  readonly map: ValueMap
  readonly sized: string | readonly Value[] | ValueMap
  readonly time: Instant
  readonly length: Duration
}
type Name = keyof Takes
export type Parameter = Name | `${Name}?`
type Argument<P> = P extends `${infer N extends Name}?` ? Takes[N] | undefined : P extends Name ? Takes[P] : never
type Arguments<P extends readonly Parameter[]> = { readonly [K in keyof P]: Argument<P[K]> }

export interface LibraryFunction {
  readonly parameters: readonly Parameter[]
  /** How many of them must be given. */
  readonly required: number
  /** Null: depends on the arguments. */
  readonly returns: Kind | null
  /** Costs the same however long its arguments are. */
  readonly constant_cost: boolean
  readonly doc: string
  readonly run: (budget: Budget, ...args: readonly never[]) => Value
}

/** Declares a function of the expression library. It is called as `name(a, b)` or `a.name(b)`. */
export const define = <const P extends readonly Parameter[]>(
  doc: string,
  parameters: P,
  returns: Kind | null,
  run: (budget: Budget, ...args: Arguments<P>) => Value,
  options: { readonly constant_cost?: boolean } = {},
): LibraryFunction => ({
  parameters,
  required: parameters.filter((parameter) => !parameter.endsWith('?')).length,
  returns,
  constant_cost: options.constant_cost ?? false,
  doc,
  run: run as LibraryFunction['run'],
})

const phrases: { readonly [name in Name]: string } = {
  any: 'a value',
  string: 'a text',
  number: 'a number',
  list: 'a list',
  map: 'an object',
  sized: 'a text, a list or an object',
  time: 'a timestamp (or ISO 8601 text, or Unix milliseconds)',
  length: 'a duration (or text as "90s", or milliseconds)',
}

const nameOf = (parameter: Parameter): Name => (parameter.endsWith('?') ? parameter.slice(0, -1) : parameter) as Name

export const phraseOf = (parameter: Parameter): string => phrases[nameOf(parameter)]

/** Kinds that a parameter could take, to refuse a call that can never work. */
export const acceptsKind = (parameter: Parameter, kind: Kind): boolean => {
  const name = nameOf(parameter)
  if (name === 'any') return true
  if (name === 'sized') return kind === 'string' || kind === 'list' || kind === 'map'
  if (name === 'time') return kind === 'timestamp' || kind === 'string' || kind === 'number'
  if (name === 'length') return kind === 'duration' || kind === 'string' || kind === 'number'
  return name === kind
}

/** The argument as the function takes it; undefined when it does not fit. */
export const accept = (parameter: Parameter, value: Value): Value | undefined => {
  switch (nameOf(parameter)) {
    case 'any':
      return value
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'number':
      return typeof value === 'number' ? value : undefined
    case 'list':
      return isList(value) ? value : undefined
    case 'map':
      return isMap(value) ? value : undefined
    case 'sized':
      return typeof value === 'string' || isList(value) || isMap(value) ? value : undefined
    case 'time':
      return value instanceof Instant ? value : typeof value === 'string' || typeof value === 'number' ? parseInstant(value) : undefined
    case 'length':
      return value instanceof Duration ? value : typeof value === 'string' || typeof value === 'number' ? parseDuration(value) : undefined
  }
}

export const wrongArgument = (message: string): Fault => new Fault('expression.argument', message)
