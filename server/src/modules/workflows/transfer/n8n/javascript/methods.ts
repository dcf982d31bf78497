import { asText, asTruth, asTruthTight, cel, type Cel, loose, quoted, Untranslatable, wrapped } from './cel.ts'
import { patternFor, plainPattern, timePattern } from './patterns.ts'
import type { Tree } from './pieces.ts'
import { lambda, plus, textOf, type Translation } from './translation.ts'

interface Use {
  readonly on: Cel
  readonly args: readonly Tree[]
  readonly t: Translation
}
type Method = (use: Use) => Cel

const given = ({ args, t }: Use, index: number): Cel => {
  const arg = args[index]
  if (arg === undefined) throw new Untranslatable('A value is missing')
  return textOf(arg, t)
}

/** A method of the same meaning under another name. */
const named =
  (name: string, kind: Cel['kind'], counts: readonly number[]): Method =>
  (use) => {
    if (!counts.includes(use.args.length)) throw new Untranslatable(`This form of ${name}() has no counterpart`)
    return cel(`${wrapped(use.on)}.${name}(${use.args.map((_, index) => given(use, index).text).join(', ')})`, kind)
  }

const onText =
  (name: string, kind: Cel['kind'], counts: readonly number[]): Method =>
  (use) =>
    named(name, kind, counts)({ ...use, on: use.on.kind === 'number' || use.on.kind === 'time' ? cel(asText(use.on), 'string') : use.on })

/** Of an element: the same list of items, where it was one. */
const elementKind = (on: Cel): Cel['kind'] => (on.kind === 'items' ? 'item' : null)
const listKind = (on: Cel): Cel['kind'] => (on.kind === 'items' ? 'items' : 'list')

const macro = (use: Use): { readonly on: string; readonly name: string; readonly body: Cel } => {
  if (use.args.length !== 1) throw new Untranslatable('This form of the method has no counterpart')
  const { name, body } = lambda(use.args[0], use.t, use.on.kind === 'items')
  return { on: wrapped(use.on), name, body }
}

const filtered = (use: Use): Cel => {
  const [only] = use.args
  if (only?.type === 'Identifier' && only['name'] === 'Boolean')
    return cel(`${wrapped(use.on)}.filter(each_, truthy(each_))`, listKind(use.on))
  const { on, name, body } = macro(use)
  return cel(`${on}.filter(${name}, ${asTruth(body)})`, listKind(use.on))
}

const replaced =
  (all: boolean): Method =>
  (use) => {
    const [what, by] = use.args
    if (what === undefined || by === undefined) throw new Untranslatable('A value is missing')
    const replacement = textOf(by, use.t)
    if (replacement.kind === 'string' && /\$[$&`'\d<]/.test(replacement.text))
      throw new Untranslatable('"$" in a replacement has no counterpart')
    const regex = what['regex'] as { readonly pattern: string; readonly flags: string } | undefined
    const plain = regex === undefined ? null : plainPattern(regex.pattern, regex.flags)
    if (regex !== undefined && plain === null) throw new Untranslatable('Only fixed texts are replaced, no patterns')
    const from = plain === null ? textOf(what, use.t).text : quoted(plain)
    const every = all || regex?.flags.includes('g') === true
    return cel(`${wrapped(use.on)}.replace(${from}, ${asText(replacement)}${every ? '' : ', 1'})`, 'string')
  }

const units = new Set(['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond'])
const unitOf = (text: string): string => {
  const unit = text.endsWith('s') ? text.slice(0, -1) : text
  if (!units.has(unit)) throw new Untranslatable(`"${text}" is not a unit of time`)
  return unit
}

const zoneArg = ({ t }: Use): string => (t.names.zone === null ? '' : `, ${quoted(t.names.zone)}`)

const asTime = (on: Cel): string => (on.kind === 'time' ? wrapped(on) : `timestamp(${on.text})`)

/** Luxon's `plus({ days: 1 })`, and n8n's `plus(1, 'day')`. */
const moved =
  (sign: 1 | -1): Method =>
  (use) => {
    const [first, second] = use.args
    const amount = (tree: Tree): string => {
      const value = textOf(tree, use.t)
      return sign === 1 ? value.text : `-${wrapped(value)}`
    }
    if (first?.type === 'ObjectExpression') {
      const steps = (first['properties'] as readonly Tree[]).map((property) => {
        const unit = unitOf(String(property['key']?.name ?? property['key']?.value))
        return `.add(${amount(property['value'])}, "${unit}"${zoneArg(use)})`
      })
      return cel(asTime(use.on) + steps.join(''), 'time')
    }
    if (first === undefined || typeof second?.['value'] !== 'string')
      throw new Untranslatable('This form of a shift in time has no counterpart')
    return cel(`${asTime(use.on)}.add(${amount(first)}, "${unitOf(second['value'])}"${zoneArg(use)})`, 'time')
  }

const unitArg = ({ args }: Use): string => {
  const unit = args[0]?.['value'] as unknown
  if (typeof unit !== 'string') throw new Untranslatable('A unit of time is needed')
  return unitOf(unit)
}

const formatted: Method = (use) => {
  const pattern = use.args[0]?.['value'] as unknown
  if (typeof pattern !== 'string') throw new Untranslatable('The pattern of a time has to stand in the expression')
  const { on, zone } = zoneOf(use)
  return cel(`${on}.format(${quoted(timePattern(pattern))}${zone})`, 'string')
}

/** A zone that was set just before goes into what depends on it. */
const zoneOf = (use: Use): { readonly on: string; readonly zone: string } => {
  const set = /^(.*)\.in_zone\(("[^"]*")\)$/s.exec(use.on.text)
  return set === null ? { on: asTime(use.on), zone: zoneArg(use) } : { on: set[1] as string, zone: `, ${set[2]}` }
}

const isoText: Method = (use) => {
  const { on, zone } = zoneOf(use)
  return cel(`${on}.format("yyyy-MM-dd'T'HH:mm:ss.SSS${zone === '' ? 'XXX' : 'xxx'}"${zone})`, 'string')
}

const pattern =
  (format: string): Method =>
  (use) => {
    const { on, zone } = zoneOf(use)
    return cel(`${on}.format("${format}"${zone})`, 'string')
  }

const part =
  (name: string, plus_one = ''): ((on: Cel) => Cel) =>
  (on) =>
    on.kind === 'time' ? loose(`${wrapped(on)}.${name}()${plus_one}`, 'number') : broken(name)

const broken = (name: string): never => {
  throw new Untranslatable(`${name}() needs a time`)
}

const wholeNumber = (tree: Tree | undefined): number | null => {
  const value = tree?.type === 'UnaryExpression' && tree['operator'] === '-' ? -(tree['argument'].value as number) : tree?.['value']
  return Number.isInteger(value) ? (value as number) : null
}

/** `sort()`, and `sort((a, b) => a.x - b.x)`, either way round. */
const sorted: Method = (use) => {
  const [compare] = use.args
  if (compare === undefined) return named('sort', 'list', [0])(use)
  const { params, body } = compare as Tree & { readonly params?: readonly Tree[]; readonly body?: Tree }
  const [one, two] = (params ?? []).map(({ name }) => name as string | undefined)
  if (body?.type !== 'BinaryExpression' || body['operator'] !== '-' || one === undefined || two === undefined)
    throw new Untranslatable('This order has no counterpart')
  const side = (tree: Tree, name: string): string => {
    const locals = new Map(use.t.locals).set(name, { name: 'each_', is_item: use.on.kind === 'items' })
    return textOf(tree, { ...use.t, locals }).text
  }
  const down = rootOf(body['left']) === two
  if (!down && rootOf(body['left']) !== one) throw new Untranslatable('This order has no counterpart')
  const [first, second] = down ? [side(body['left'], two), side(body['right'], one)] : [side(body['left'], one), side(body['right'], two)]
  if (first !== second) throw new Untranslatable('This order has no counterpart')
  return cel(`${wrapped(use.on)}.sortBy(each_, ${first})${down ? '.reverse()' : ''}`, listKind(use.on))
}

const rootOf = (tree: Tree): string | null =>
  tree.type === 'MemberExpression' ? rootOf(tree['object'] as Tree) : tree.type === 'Identifier' ? (tree['name'] as string) : null

const searched: Method = (use) => {
  const [what] = use.args
  const regex = what?.['regex'] as { readonly pattern: string; readonly flags: string } | undefined
  if (regex === undefined) throw new Untranslatable('match() needs a pattern')
  const { pattern: source, groups, global } = patternFor(regex.pattern, regex.flags)
  if (global) throw new Untranslatable('All matches of a pattern have no counterpart')
  return cel(`${wrapped(use.on)}.extract(${quoted(groups === 0 ? `(${source})` : source)})`)
}

const tested: Method = (use) => {
  throw new Untranslatable(`test() needs a pattern before it, not ${use.on.text.slice(0, 20)}`)
}

const same: Method = ({ on }) => on

/** What JavaScript, Luxon and n8n's own extensions call by these names. */
export const methods: { readonly [name: string]: Method | undefined } = {
  toLowerCase: onText('lower', 'string', [0]),
  toUpperCase: onText('upper', 'string', [0]),
  toLocaleLowerCase: onText('lower', 'string', [0]),
  toLocaleUpperCase: onText('upper', 'string', [0]),
  trim: onText('trim', 'string', [0]),
  split: onText('split', 'list', [1]),
  startsWith: onText('startsWith', 'bool', [1]),
  endsWith: onText('endsWith', 'bool', [1]),
  includes: named('contains', 'bool', [1]),
  contains: named('contains', 'bool', [1]),
  indexOf: (use) => {
    if (given(use, 0).kind === 'number') throw new Untranslatable('The place of an element in a list has no counterpart')
    return onText('indexOf', 'number', [1])(use)
  },
  charAt: (use) => {
    const at = wholeNumber(use.args[0])
    if (at === null || at < 0) throw new Untranslatable('charAt() needs a fixed place')
    return cel(`${wrapped(use.on)}.slice(${at}, ${at + 1})`, 'string')
  },
  lastIndexOf: onText('lastIndexOf', 'number', [1]),
  padStart: onText('padStart', 'string', [1, 2]),
  padEnd: onText('padEnd', 'string', [1, 2]),
  replace: replaced(false),
  replaceAll: replaced(true),
  match: searched,
  test: tested,
  slice: (use) => {
    const kind = use.on.kind === 'string' ? 'string' : use.on.kind === 'items' ? 'items' : null
    return named('slice', kind, [1, 2])(use)
  },
  substring: (use) => {
    const [start, end] = use.args.map(wholeNumber)
    if (start === undefined || start === null || start < 0) throw new Untranslatable('substring() needs fixed places')
    if (use.args.length > 1 && (end === undefined || end === null || end < start))
      throw new Untranslatable('substring() needs fixed places')
    return named('slice', 'string', [1, 2])(use)
  },
  concat: (use) => use.args.reduce<Cel>((left, _, index) => plus(left, given(use, index)), use.on),
  join: (use) => {
    const separator = use.args.length === 0 ? '","' : given(use, 0).text
    return cel(`${wrapped(use.on)}.map(each_, string(each_)).join(${separator})`, 'string')
  },
  map: (use) => {
    const { on, name, body } = macro(use)
    return cel(`${on}.map(${name}, ${body.text})`, body.kind === 'item' ? 'items' : 'list')
  },
  filter: filtered,
  find: (use) => cel(`${filtered(use).text}.first()`, elementKind(use.on)),
  some: (use) => {
    const { on, name, body } = macro(use)
    return cel(`${on}.exists(${name}, ${asTruth(body)})`, 'bool')
  },
  every: (use) => {
    const { on, name, body } = macro(use)
    return cel(`${on}.all(${name}, ${asTruth(body)})`, 'bool')
  },
  flatMap: (use) => {
    const { on, name, body } = macro(use)
    return cel(`${on}.map(${name}, ${body.text}).flatten()`, 'list')
  },
  flat: named('flatten', 'list', [0]),
  reverse: (use) => named('reverse', listKind(use.on), [0])(use),
  sort: sorted,
  at: (use) => {
    const at = wholeNumber(use.args[0])
    if (at === -1) return cel(`${wrapped(use.on)}.last()`, elementKind(use.on))
    if (at === null || at < 0) throw new Untranslatable('at() needs a fixed place')
    return cel(`${wrapped(use.on)}[?${at}].orValue(null)`, elementKind(use.on))
  },
  pop: (use) => cel(`${wrapped(use.on)}.last()`, elementKind(use.on)),
  first: (use) => cel(`${wrapped(use.on)}.first()`, elementKind(use.on)),
  last: (use) => cel(`${wrapped(use.on)}.last()`, elementKind(use.on)),
  keys: named('keys', 'list', [0]),
  values: named('values', 'list', [0]),
  hasField: (use) => loose(`${given(use, 0).text} in ${wrapped(use.on)}`, 'bool'),
  hasOwnProperty: (use: Use) => loose(`${given(use, 0).text} in ${wrapped(use.on)}`, 'bool'),
  pluck: (use) => {
    if (use.args.length !== 1) throw new Untranslatable('pluck() of several fields has no counterpart')
    return cel(`${wrapped(use.on)}.map(each_, each_[${given(use, 0).text}])`, 'list')
  },
  unique: named('distinct', 'list', [0]),
  removeDuplicates: named('distinct', 'list', [0]),
  sum: named('sum', 'number', [0]),
  average: named('avg', 'number', [0]),
  min: named('min', 'number', [0]),
  max: named('max', 'number', [0]),
  compact: (use) => cel(`${wrapped(use.on)}.filter(each_, each_ != null && each_ != "")`, 'list'),
  merge: (use) => cel(`${wrapped(use.on)}.merge(${given(use, 0).text})`, 'map'),
  isEmpty: ({ on }) => loose(`${wrapped(on)} == null || size(${on.text}) == 0`, 'bool'),
  isNotEmpty: ({ on }) => loose(`${wrapped(on)} != null && size(${on.text}) > 0`, 'bool'),
  toString: (use: Use) => (use.args.length === 0 ? cel(asText(use.on), 'string') : broken('toString')),
  valueOf: ({ on }: Use) => (on.kind === 'time' ? cel(`${wrapped(on)}.millis()`, 'number') : on),
  toNumber: ({ on }) => cel(`number(${on.text})`, 'number'),
  toFloat: ({ on }) => cel(`number(${on.text})`, 'number'),
  toInt: ({ on }) => cel(`int(${on.text})`, 'number'),
  toBoolean: ({ on }) => cel(asTruthTight(on), 'bool'),
  floor: named('floor', 'number', [0]),
  ceil: named('ceil', 'number', [0]),
  abs: named('abs', 'number', [0]),
  round: named('round', 'number', [0, 1]),
  isEven: ({ on }) => loose(`${wrapped(on)} % 2 == 0`, 'bool'),
  isOdd: ({ on }) => loose(`${wrapped(on)} % 2 != 0`, 'bool'),
  toJsonString: ({ on }) => cel(`json.encode(${on.text})`, 'string'),
  parseJson: ({ on }) => cel(`json.decode(${on.text})`),
  urlEncode: ({ on }) => cel(`url.encode(${asText(on)})`, 'string'),
  urlDecode: ({ on }) => cel(`url.decode(${on.text})`, 'string'),
  base64Encode: ({ on }) => cel(`base64.encode(${asText(on)})`, 'string'),
  base64Decode: ({ on }) => cel(`base64.decode(${on.text})`, 'string'),
  hash: (use) => {
    if (use.args[0]?.['value'] !== 'sha256') throw new Untranslatable('Of hashes there is SHA-256')
    return cel(`hash.sha256(${asText(use.on)})`, 'string')
  },
  toDateTime: ({ on }) => cel(asTime(on), 'time'),
  toDate: ({ on }) => cel(asTime(on), 'time'),
  toJSDate: same,
  toLocal: same,
  toUTC: (use) => cel(`${asTime(use.on)}.in_zone("UTC")`, 'time'),
  setZone: (use) => {
    const zone = use.args[0]?.['value'] as unknown
    if (typeof zone !== 'string' || !/^[A-Za-z0-9_+/-]+$/.test(zone)) throw new Untranslatable('The zone has to stand in the expression')
    return cel(`${asTime(use.on)}.in_zone(${quoted(zone === 'utc' ? 'UTC' : zone)})`, 'time')
  },
  toISO: isoText,
  toISOString: ({ on }) => cel(`string(${asTime(on)})`, 'string'),
  toJSON: ({ on }) => cel(`string(${asTime(on)})`, 'string'),
  toISODate: pattern('yyyy-MM-dd'),
  toSQLDate: pattern('yyyy-MM-dd'),
  toISOTime: pattern('HH:mm:ss.SSSxxx'),
  format: formatted,
  toFormat: formatted,
  plus: moved(1),
  minus: moved(-1),
  startOf: (use) => cel(`${asTime(use.on)}.startOf("${unitArg(use)}"${zoneArg(use)})`, 'time'),
  beginningOf: (use) => cel(`${asTime(use.on)}.startOf("${unitArg(use)}"${zoneArg(use)})`, 'time'),
  endOf: (use) => {
    const unit = unitArg(use)
    return cel(`${asTime(use.on)}.startOf("${unit}"${zoneArg(use)}).add(1, "${unit}"${zoneArg(use)}).add(-1, "millisecond")`, 'time')
  },
  toMillis: ({ on }) => cel(`${asTime(on)}.millis()`, 'number'),
  getTime: ({ on }) => cel(`${asTime(on)}.millis()`, 'number'),
  toSeconds: ({ on }) => loose(`${asTime(on)}.millis() / 1000`, 'number'),
  toUnixInteger: ({ on }) => cel(`${asTime(on)}.unix()`, 'number'),
  getFullYear: ({ on }) => cel(`${asTime(on)}.getFullYear()`, 'number'),
  getMonth: ({ on }) => cel(`${asTime(on)}.getMonth()`, 'number'),
  getDate: ({ on }) => cel(`${asTime(on)}.getDate()`, 'number'),
  getDay: ({ on }) => cel(`${asTime(on)}.getDayOfWeek()`, 'number'),
  getHours: ({ on }) => cel(`${asTime(on)}.getHours()`, 'number'),
  getMinutes: ({ on }) => cel(`${asTime(on)}.getMinutes()`, 'number'),
}

const sized = (on: Cel): Cel => cel(`size(${on.text})`, 'number')

/** Fields that are worked out, of any value. `year` and its like are fields of a time and names of data otherwise. */
export const properties: { readonly [name: string]: (on: Cel) => Cel } = { length: sized }

export const timeProperties: { readonly [name: string]: (on: Cel) => Cel } = {
  year: part('getFullYear'),
  month: part('getMonth', ' + 1'),
  day: part('getDate'),
  hour: part('getHours'),
  minute: part('getMinutes'),
  second: part('getSeconds'),
  millisecond: part('getMilliseconds'),
  ts: part('millis'),
}

type Make = (args: readonly Cel[]) => Cel

const one =
  (make: (value: Cel) => Cel): Make =>
  ([value]) => {
    if (value === undefined) throw new Untranslatable('A value is missing')
    return make(value)
  }

/** Functions that stand by themselves. */
export const functions: { readonly [name: string]: Make } = {
  Number: one((value) => cel(`number(${value.text})`, 'number')),
  parseFloat: one((value) => cel(`number(${value.text})`, 'number')),
  parseInt: one((value) => cel(`int(${value.text})`, 'number')),
  String: one((value) => cel(asText(value), 'string')),
  Boolean: one((value) => cel(asTruthTight(value), 'bool')),
  encodeURIComponent: one((value) => cel(`url.encode(${asText(value)})`, 'string')),
  decodeURIComponent: one((value) => cel(`url.decode(${value.text})`, 'string')),
  btoa: one((value) => cel(`base64.encode(${asText(value)})`, 'string')),
  atob: one((value) => cel(`base64.decode(${value.text})`, 'string')),
  $if: ([test, yes, no]) => {
    if (test === undefined || yes === undefined || no === undefined) throw new Untranslatable('$if() takes three values')
    return loose(`${asTruthTight(test)} ? ${wrapped(yes)} : ${wrapped(no)}`, yes.kind === no.kind ? yes.kind : null)
  },
  $ifEmpty: ([value, other]) => {
    if (value === undefined || other === undefined) throw new Untranslatable('$ifEmpty() takes two values')
    return loose(
      `${wrapped(value)} != null && ${wrapped(value)} != "" && ${wrapped(value)} != [] && ${wrapped(value)} != {} ? ${wrapped(value)} : ${wrapped(other)}`,
    )
  },
  $min: (args) => cel(`min([${args.map(({ text }) => text).join(', ')}])`, 'number'),
  $max: (args) => cel(`max([${args.map(({ text }) => text).join(', ')}])`, 'number'),
}
