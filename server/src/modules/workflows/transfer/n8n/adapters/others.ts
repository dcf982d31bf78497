import { quoted, Untranslatable } from '../javascript/cel.ts'
import { timePattern } from '../javascript/patterns.ts'
import { at, isExpression, textAt } from '../parameters.ts'
import type { Adapter, Gives, Site } from '../site.ts'
import { placeholder_type } from '../placeholder-type.ts'

const output = (step: string): readonly Gives[] => [{ from: { step, port: 'out' }, place: { path: `steps.${step}.output` } }]

/** A node that nobody here knows: kept to the letter, and refuses. */
export const unknown: Adapter = {
  takes: 'all',
  make: (site) => {
    const { node } = site
    const parts = node.parts.map(({ original }) => original)
    site.left(
      `There is no node of the type ${node.type} here. It is kept as it was, and refuses to run: put an \`http.request\` or a program in its place.`,
    )
    const id = site.step({ type: placeholder_type, config: { original: node.original, ...(parts.length === 0 ? {} : { parts }) } })
    return output(id)
  },
}

const unitOf = (site: Site, path: string): string => (textAt(site.parameters, path) ?? 'days').replace(/s$/, '')

const patternOf = (site: Site): string => {
  const formats: { readonly [name: string]: string } = {
    'MM/DD/YYYY': 'MM/dd/yyyy',
    'YYYY/MM/DD': 'yyyy/MM/dd',
    'MMMM DD YYYY': 'MMMM dd yyyy',
    'MM-DD-YYYY': 'MM-dd-yyyy',
    'YYYY-MM-DD': 'yyyy-MM-dd',
  }
  const given = textAt(site.parameters, 'format') ?? 'MM/dd/yyyy'
  const format =
    given === 'custom'
      ? (textAt(site.parameters, 'customFormat') ?? '')
      : given === 'X' || given === 'x'
        ? given
        : (formats[given] ?? given)
  try {
    return timePattern(format)
  } catch (error) {
    if (!(error instanceof Untranslatable) || format === 'X' || format === 'x') {
      if (format === 'X' || format === 'x') return format
      throw error
    }
    site.left(`The pattern ${JSON.stringify(format)} of a time is for you to write: ${error.message}.`)
    return 'yyyy-MM-dd'
  }
}

interface Clock {
  readonly site: Site
  readonly zoned: string
  /** A parameter as a time. */
  readonly time: (path: string) => string
}

/** CEL of what is worked out, and the field it goes into where none is named; null: it cannot be had. */
type Work = (clock: Clock) => readonly [value: string, field: string] | null

const formatted =
  (from: string, otherwise: string): Work =>
  ({ site, time, zoned }) => {
    const pattern = patternOf(site)
    if (pattern === 'X') return [`${time(from)}.unix()`, otherwise]
    return [pattern === 'x' ? `${time(from)}.millis()` : `${time(from)}.format(${quoted(pattern)}${zoned})`, otherwise]
  }

const shifted =
  (sign: string): Work =>
  ({ site, time, zoned }) => {
    const length = site.cel(site.parameters['duration'] ?? 0, 'duration')
    return [`${time('magnitude')}.add(${sign}(${length}), "${unitOf(site, 'timeUnit')}"${zoned})`, 'newDate']
  }

const rounded: Work = ({ site, time, zoned }) => {
  const up = textAt(site.parameters, 'mode') === 'roundUp'
  const unit = unitOf(site, up ? 'to' : 'toNearest')
  const start = `${time('date')}.startOf("${unit}"${zoned})`
  return [up ? `${start}.add(1, "${unit}"${zoned})` : start, 'roundedDate']
}

const lengths: { readonly [unit: string]: number } = {
  week: 604_800_000,
  day: 86_400_000,
  hour: 3_600_000,
  minute: 60_000,
  second: 1000,
  millisecond: 1,
}

const between: Work = ({ site, time }) => {
  const unit = unitOf(site, 'units.0')
  const length = lengths[unit]
  return length === undefined
    ? null
    : [`{"${unit}s": (${time('endDate')}.millis() - ${time('startDate')}.millis()) / ${length}}`, 'timeDifference']
}

const parts: { readonly [part: string]: string } = {
  year: 'getFullYear()',
  month: 'getMonth() + 1',
  day: 'getDate()',
  hour: 'getHours()',
  minute: 'getMinutes()',
  second: 'getSeconds()',
}

const extracted: Work = ({ site, time }) => {
  const part = parts[textAt(site.parameters, 'part') ?? 'month']
  return part === undefined ? null : [`${time('date')}.${part}`, 'datePart']
}

const present: Work = ({ site }) => {
  site.changed('The present time is the time at which the execution started.')
  return ['timestamp(execution.started_at)', 'currentDate']
}

const works: { readonly [operation: string]: Work } = {
  getCurrentDate: present,
  formatDate: formatted('date', 'formattedDate'),
  addToDate: shifted(''),
  subtractFromDate: shifted('-'),
  roundDate: rounded,
  getTimeBetweenDates: between,
  extractDate: extracted,
}

const timeOf = (site: Site): { readonly value: string; readonly field: string } | null => {
  const { parameters, zone, node } = site
  const zoned = zone === null ? '' : `, ${quoted(zone)}`
  const clock: Clock = { site, zoned, time: (path) => `timestamp(${site.cel(parameters[path] ?? '', path)}${zoned})` }
  const old = node.version < 2
  const operation = old ? (textAt(parameters, 'action') ?? 'format') : (textAt(parameters, 'operation') ?? 'getCurrentDate')
  // Version 1 formats, and names its parameters differently.
  const work =
    old && operation === 'format' ? formatted('value', 'data') : Object.hasOwn(works, operation) && !old ? works[operation] : undefined
  const given = old ? { ...clock, site: { ...site, parameters: { ...parameters, format: parameters['toFormat'] ?? 'MM/DD/YYYY' } } } : clock
  const [value, otherwise] = work?.(given) ?? [null, '']
  return value === null ? null : { value, field: textAt(parameters, old ? 'dataPropertyName' : 'outputFieldName') ?? otherwise }
}

const dateTime: Adapter = {
  takes: 'item',
  make: (site) => {
    const made = timeOf(site)
    if (made === null) {
      site.left('What it did with a time has no counterpart: write it as an expression.')
      return unknown.make(site)
    }
    const keep = site.node.version < 2 || at(site.parameters, 'options.includeInputFields') === true
    const map = `{${quoted(made.field)}: ${made.value}}`
    return output(
      site.step({
        type: 'data.set',
        config: { values: keep ? `{{ ${site.place.path}.merge(${map}) }}` : { [made.field]: `{{ ${made.value} }}` } },
      }),
    )
  },
}

/** A template of HTML; taking values out of HTML is not done here. */
const html: Adapter = {
  takes: 'item',
  make: (site) => {
    if ((textAt(site.parameters, 'operation') ?? 'generateHtmlTemplate') !== 'generateHtmlTemplate') return unknown.make(site)
    const given = site.parameters['html'] ?? ''
    // Its text is an expression by itself.
    const text = typeof given === 'string' && !isExpression(given) ? `=${given}` : given
    return output(site.step({ type: 'data.set', config: { values: { html: site.made(text, 'html') } } }))
  },
}

const crypto: Adapter = {
  takes: 'item',
  make: (site) => {
    const { parameters } = site
    const action = textAt(parameters, 'action') ?? 'hash'
    const type = textAt(parameters, 'type') ?? 'MD5'
    const known = type === 'SHA256' && (textAt(parameters, 'encoding') ?? 'hex') === 'hex'
    if (!known || (action !== 'hash' && action !== 'hmac')) return unknown.make(site)
    const value = site.cel(parameters['value'] ?? '', 'value')
    const name = textAt(parameters, 'dataPropertyName') ?? 'data'
    if (action === 'hmac') site.left('Its secret does not belong into a definition: keep it in an integration.')
    const made = action === 'hash' ? `hash.sha256(${value})` : `hash.hmac(${site.cel(parameters['secret'] ?? '', 'secret')}, ${value})`
    return output(site.step({ type: 'data.set', config: { values: `{{ ${site.place.path}.merge({${quoted(name)}: ${made}}) }}` } }))
  },
}

export const others: { readonly [kind: string]: Adapter } = { dateTime, html, crypto }
