import { asText, asTruthTight, cel, type Cel, loose, numeral, optionalKey, quoted, Untranslatable, wrapped } from './cel.ts'
import { functions, methods, properties, timeProperties } from './methods.ts'
import { globalCall, globalOf, nodeCall } from './globals.ts'
import type { Names } from './names.ts'
import { patternFor } from './patterns.ts'
import { parseExpression, type Tree } from './pieces.ts'
import { asTextTight, ended, pathTo, plus, textOf, type Translation, type Value } from './translation.ts'

const most_chars = 9_000

/** One expression of JavaScript as CEL. Throws `Untranslatable` for what has no counterpart. */
export const translate = (code: string, names: Names): { readonly cel: Cel; readonly notes: readonly string[] } => {
  const translation: Translation = { read: valueOf, names, locals: new Map(), notes: new Set() }
  const made = ended(valueOf(parseExpression(code, names.budget), translation))
  if (made.text.includes('.in_zone(')) throw new Untranslatable('A zone is set where nothing is formatted in it')
  if (made.text.length > most_chars) throw new Untranslatable('It becomes too long')
  return { cel: made, notes: [...translation.notes] }
}

const valueOf = (tree: Tree, t: Translation): Value => {
  const visit = visitors[tree.type]
  if (visit === undefined) throw new Untranslatable(`${said(tree.type)} has no counterpart`)
  const value = visit(tree, t)
  return 'text' in value ? { cel: value } : value
}

const said = (type: string): string =>
  type
    .replaceAll(/([A-Z])/g, ' $1')
    .trim()
    .toLowerCase()

type Visit = (tree: Tree, t: Translation) => Value | Cel

const member: Visit = (tree, t) => {
  if (tree['property'].type === 'PrivateIdentifier') throw new Untranslatable('Private fields are not data')
  const known = globalOf(tree, t)
  if (known !== null) return known
  const key = keyOf(tree, t)
  const match = matchOf(tree['object'], t)
  if (match !== null && typeof key === 'number') return match(key)
  const holder = valueOf(tree['object'], t)
  return memberOf(holder, key)
}

const memberOf = (holder: Value, key: string | number | Cel): Value | Cel => {
  const own = typeof key === 'string' && Object.hasOwn(properties, key) ? properties[key] : undefined
  if (own !== undefined) return own(ended(holder))
  if ('path' in holder) {
    const { path } = holder
    if (path.is_item && path.keys.length === 0) {
      if (key === 'json') return { path: { ...path, is_item: false } }
      throw new Untranslatable(`Of an item there is only "json", not "${String(typeof key === 'object' ? key.text : key)}"`)
    }
    return { path: { ...path, keys: [...path.keys, key] } }
  }
  const { kind } = holder.cel
  if (kind === 'time') {
    const of_time = typeof key === 'string' && Object.hasOwn(timeProperties, key) ? timeProperties[key] : undefined
    if (of_time === undefined) throw new Untranslatable(`A time has no field of this name here`)
    return of_time(holder.cel)
  }
  if (kind === 'item' && key === 'json') return cel(holder.cel.text, null, holder.cel.tight)
  if (kind === 'string' && typeof key === 'number') throw new Untranslatable('Single characters of a text are not taken here')
  if (kind === 'items') return pathTo({ path: `${wrapped(holder.cel)}${optionalKey(key)}.orValue(null)` }, true)
  return { path: { place: { path: wrapped(holder.cel) }, keys: [key], is_item: false } }
}

const keyOf = (tree: Tree, t: Translation): string | number | Cel => {
  const { property, computed } = tree
  if (computed !== true) return property.name as string
  if (property.type === 'Literal' && typeof property.value === 'string') return property.value
  if (property.type === 'Literal' && Number.isInteger(property.value) && property.value >= 0) return property.value as number
  return textOf(property, t)
}

/** `text.match(/…/)[n]`, where the pattern has no flag `g`. */
const matchOf = (tree: Tree, t: Translation): ((group: number) => Value | Cel) | null => {
  const call = tree.type === 'ChainExpression' ? (tree['expression'] as Tree) : tree
  if (call.type !== 'CallExpression' || call['callee'].type !== 'MemberExpression') return null
  const { callee, arguments: args } = call
  const regex = args.length === 1 ? args[0].regex : undefined
  if (callee.property.name !== 'match' || regex === undefined) return null
  const { pattern, groups, global } = patternFor(regex.pattern, regex.flags)
  if (global) return null
  const text = textOf(callee.object, t)
  return (group) => {
    if (group > groups) return cel('null', 'null')
    const whole = group === 0
    if (whole && groups === 0) return cel(`${wrapped(text)}.extract(${quoted(pattern)})`)
    const path = `${wrapped(text)}.extract(${quoted(whole ? `(${pattern})` : pattern)})`
    return { path: { place: { path }, keys: [whole ? 0 : group - 1], is_item: false } }
  }
}

const call: Visit = (tree, t) => {
  const { callee } = tree
  const args = tree['arguments'] as readonly Tree[]
  if (args.some(({ type }) => type === 'SpreadElement')) throw new Untranslatable('A spread has no counterpart')
  const known = nodeCall(tree, t) ?? globalCall(tree, t)
  if (known !== null) return known
  if (callee.type === 'Identifier') {
    const make = Object.hasOwn(functions, callee.name) ? functions[callee.name] : undefined
    if (make === undefined) throw new Untranslatable(`The function ${callee.name}() has no counterpart`)
    return make(args.map((arg) => textOf(arg, t)))
  }
  if (callee.type !== 'MemberExpression' || callee.computed === true) throw new Untranslatable('This call has no counterpart')
  const name = callee.property.name as string
  const regex = callee.object.regex as { readonly pattern: string; readonly flags: string } | undefined
  if (name === 'test' && regex !== undefined && args.length === 1) {
    const { pattern } = patternFor(regex.pattern, regex.flags)
    return cel(`${wrapped(textOf(args[0] as Tree, t))}.matches(${quoted(pattern)})`, 'bool')
  }
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined
  if (method === undefined) throw new Untranslatable(`The method ${name}() has no counterpart`)
  return method({ on: textOf(callee.object, t), args, t })
}

const operators: { readonly [operator: string]: string } = {
  '===': '==',
  '==': '==',
  '!==': '!=',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  '-': '-',
  '*': '*',
  '/': '/',
  '%': '%',
}

const binary: Visit = (tree, t) => {
  const { operator } = tree
  const left = textOf(tree['left'], t)
  const right = textOf(tree['right'], t)
  if (operator === '+') return plus(left, right)
  if (operator === 'in') return loose(`${asText(left)} in ${wrapped(right)}`, 'bool')
  const known = Object.hasOwn(operators, operator) ? operators[operator] : undefined
  if (known === undefined) throw new Untranslatable(`The operator ${operator} has no counterpart`)
  const is_comparison = !'-*/%'.includes(known)
  if (is_comparison) return loose(`${wrapped(left)} ${known} ${wrapped(right)}`, 'bool')
  if (left.kind === 'time' && right.kind === 'time' && known === '-')
    return cel(`(${wrapped(left)}.millis() - ${wrapped(right)}.millis())`, 'number')
  return loose(`${asNumber(left)} ${known} ${asNumber(right)}`, 'number')
}

const asNumber = (value: Cel): string => (value.kind === 'string' ? `number(${value.text})` : wrapped(value))

const logical: Visit = (tree, t) => {
  const left = textOf(tree['left'], t)
  const right = textOf(tree['right'], t)
  const { operator } = tree
  if (operator === '??') {
    const value = valueOf(tree['left'], t)
    // A path that breaks off and a null are the same to `??`.
    if ('path' in value || left.text !== 'null') return loose(`${wrapped(left)} != null ? ${wrapped(left)} : ${wrapped(right)}`, null)
    return right
  }
  if (left.kind === 'bool' && right.kind === 'bool') return loose(`${wrapped(left)} ${operator} ${wrapped(right)}`, 'bool')
  const [yes, no] = operator === '||' ? [left, right] : [right, left]
  return loose(`${asTruthTight(left)} ? ${wrapped(yes)} : ${wrapped(no)}`, yes.kind === no.kind ? yes.kind : null)
}

const visitors: { readonly [type: string]: Visit } = {
  Literal: (tree) => {
    const { value } = tree
    if (tree['regex'] !== undefined || tree['bigint'] !== undefined)
      throw new Untranslatable('A pattern or a BigInt has no counterpart by itself')
    if (typeof value === 'string') return cel(quoted(value), 'string')
    if (typeof value === 'number') return cel(numeral(value), 'number')
    return value === null ? cel('null', 'null') : cel(String(value), 'bool')
  },
  TemplateLiteral: (tree, t) => {
    const texts = tree['quasis'] as readonly Tree[]
    const parts = texts.flatMap((quasi, index): readonly string[] => {
      const text = quasi['value'].cooked as string
      const value = tree['expressions'][index] as Tree | undefined
      return [...(text === '' ? [] : [quoted(text)]), ...(value === undefined ? [] : [asTextTight(textOf(value, t))])]
    })
    if (parts.length === 0) return cel('""', 'string')
    return parts.length === 1 ? cel(parts[0] as string, 'string') : loose(parts.join(' + '), 'string')
  },
  Identifier: (tree, t) => {
    const local = t.locals.get(tree['name'])
    if (local !== undefined) return { path: { place: { path: local.name }, keys: [], is_item: local.is_item } }
    if (tree['name'] === 'undefined') return cel('null', 'null')
    const known = globalOf(tree, t)
    if (known !== null) return known
    throw new Untranslatable(`The name ${tree['name']} is not known`)
  },
  MemberExpression: member,
  ChainExpression: (tree, t) => valueOf(tree['expression'], t),
  ParenthesizedExpression: (tree, t) => valueOf(tree['expression'], t),
  CallExpression: call,
  NewExpression: (tree, t) => {
    const [value, ...more] = tree['arguments'] as readonly Tree[]
    if (tree['callee'].name !== 'Date' || more.length > 0) throw new Untranslatable('Only new Date() has a counterpart')
    return value === undefined ? cel('timestamp(execution.started_at)', 'time') : cel(`timestamp(${textOf(value, t).text})`, 'time')
  },
  BinaryExpression: binary,
  LogicalExpression: logical,
  ConditionalExpression: (tree, t) => {
    const [yes, no] = [textOf(tree['consequent'], t), textOf(tree['alternate'], t)]
    return loose(`${asTruthTight(textOf(tree['test'], t))} ? ${wrapped(yes)} : ${wrapped(no)}`, yes.kind === no.kind ? yes.kind : null)
  },
  UnaryExpression: (tree, t) => {
    const value = textOf(tree['argument'], t)
    if (tree['operator'] === '!') return loose(`!${asTruthTight(value)}`, 'bool')
    if (tree['operator'] === '-') return loose(`-${wrapped(value)}`, 'number')
    if (tree['operator'] === '+') return cel(`number(${value.text})`, 'number')
    throw new Untranslatable(`The operator ${tree['operator']} has no counterpart`)
  },
  ArrayExpression: (tree, t) => {
    const elements = tree['elements'] as readonly (Tree | null)[]
    const lists: string[] = []
    let open: string[] = []
    for (const element of elements) {
      if (element?.type !== 'SpreadElement') open.push(element === null ? 'null' : textOf(element, t).text)
      else {
        if (open.length > 0) lists.push(`[${open.join(', ')}]`)
        open = []
        lists.push(wrapped(textOf(element['argument'], t)))
      }
    }
    if (open.length > 0 || lists.length === 0) lists.push(`[${open.join(', ')}]`)
    return lists.length === 1 ? cel(lists[0] as string, 'list') : loose(lists.join(' + '), 'list')
  },
  ObjectExpression: (tree, t) => {
    let text = ''
    let open: string[] = []
    const close = (): void => {
      if (open.length === 0 && text !== '') return
      const map = `{${open.join(', ')}}`
      text = text === '' ? map : `${text}.merge(${map})`
      open = []
    }
    for (const property of tree['properties'] as readonly Tree[]) {
      if (property.type === 'SpreadElement') {
        close()
        text += `.merge(${textOf(property['argument'], t).text})`
        continue
      }
      const { key, computed, kind, method } = property
      if (kind !== 'init' || method === true) throw new Untranslatable('A function has no counterpart')
      const name = computed === true ? asText(textOf(key, t)) : quoted(String(key.type === 'Identifier' ? key.name : key.value))
      if (name === '"__proto__"') throw new Untranslatable('__proto__ is not data')
      open.push(`${name}: ${textOf(property['value'], t).text}`)
    }
    close()
    return cel(text, 'map')
  },
}
