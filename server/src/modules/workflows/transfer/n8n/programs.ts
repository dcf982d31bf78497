import { isJsonObject, type Json } from '../../../../lib/json.ts'
import { Untranslatable } from './javascript/cel.ts'
import type { Names } from './javascript/names.ts'
import { parseBody, type Tree } from './javascript/pieces.ts'

/** What nothing stands for in the sandbox. */
const foreign =
  /\bDateTime\b|\$(?:now|today|jmespath|env|secrets|binary|parameter|response|request|pageCount|fromAI|getWorkflowStaticData|evaluateExpression|prevNode)\b|\$getWorkflowStaticData|\brequire\s*\(|\bhelpers\s*\.|\bgetBinaryData|\bfetch\s*\(|\bBuffer\b|\bprocess\s*\./

/** Why a program cannot run in the sandbox; null when it may. */
export const foreignIn = (code: string): string | null => {
  const found = foreign.exec(code)
  return found === null ? null : `${found[0].replace(/\s*[(.]$/, '')} is not there in the sandbox`
}

/** A path of CEL where a step may not have run. */
const reach = (path: string): string =>
  path.replaceAll(/\bsteps\.([a-z0-9_]+)\.output/g, 'steps.$1?.output').replaceAll('.first()', '?.[0]')

const named = (code: string): readonly string[] => {
  const found = code.matchAll(/\$(?:node|items)?\s*[([]\s*(["'`])((?:\\.|(?!\1).)*)\1/g)
  return [...new Set([...found].map((match) => (match[2] as string).replaceAll(/\\(.)/g, '$1')))]
}

/** `const $json = …` and whatever else of n8n the code may name. */
const prelude = (code: string, names: Names): string => {
  const fields = Object.entries(names.json.fields ?? {}).filter((entry): entry is [string, string] => entry[1] !== null)
  const base = reach(names.json.path)
  const renamed = fields.map(([name, field]) => `${JSON.stringify(name)}: ${base}?.[${JSON.stringify(field)}]`)
  const json = renamed.length === 0 ? `${base} ?? {}` : `({ ...${base}, ${renamed.join(', ')} })`
  const nodes = named(code).flatMap((name): readonly string[] => {
    const given = names.node(name)
    if (given === undefined || given.all === null) return []
    const all = `(${reach(given.all.text)} ?? []).map((json) => ({ json }))`
    const item = given.item === null ? 'undefined' : `{ json: ${reach(given.item.path)} }`
    return [`  [${JSON.stringify(name)}, () => ({ all: ${all}, item: ${item} })],`]
  })
  const lookup =
    nodes.length === 0
      ? []
      : [
          'const given = new Map([',
          ...nodes,
          '])',
          'const $ = (name) => {',
          '  const { all, item } = given.get(name)()',
          '  return { all: () => all, first: () => all[0], last: () => all.at(-1), item: item ?? all[0], itemMatching: (at) => all[at] }',
          '}',
          'const $node = new Proxy({}, { get: (_, name) => ({ json: $(name).item?.json }) })',
          'const $items = (name) => (name === undefined ? items : $(name).all())',
        ]
  return [
    `const $json = ${json}`,
    `const items = (${reach(names.items.text)} ?? []).map((json) => ({ json }))`,
    'const item = items[0]',
    'const $input = { all: () => items, first: () => items[0], last: () => items.at(-1), item: { json: $json } }',
    `const $itemIndex = ${names.index}`,
    'const $runIndex = 0',
    'const $execution = execution',
    `const $workflow = { id: execution.workflow_id, name: ${JSON.stringify(names.workflow.name)}, active: ${names.workflow.active} }`,
    'const $vars = vars',
    ...lookup,
  ].join('\n')
}

const context = '{ trigger, steps, execution, workspace, vars, item: current, index }'

/** In the sandbox the current element of a loop is called so as not to hide n8n's `item`. */
const inContext = (text: string): string => text.replaceAll(/(^|[^\w$.])item(?=[.?[\s)\]]|$)/g, '$1current')

const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, '  ')

const opening = (code: string, names: Names): string => {
  const { json, items, ...rest } = names
  const inner: Names = {
    ...rest,
    json: { ...json, path: inContext(json.path) },
    items: { ...items, text: inContext(items.text) },
    node: (name) => {
      const given = names.node(name)
      return given === undefined
        ? undefined
        : {
            ...given,
            item: given.item === null ? null : { ...given.item, path: inContext(given.item.path) },
            all: given.all === null ? null : { ...given.all, text: inContext(given.all.text) },
          }
    },
  }
  return prelude(code, inner)
}

/** A program that gives the values of expressions, by name. */
export const expressionsProgram = (expressions: ReadonlyMap<string, string>, names: Names): string => {
  const all = [...expressions.values()].join('\n')
  const fields = [...expressions].map(([name, code]) => `    ${name}: (${code.trim().replace(/(?:;\s*)+$/, '')}\n    ) ?? null,`)
  return `export default (input, ${context}) => {\n${indented(opening(all, names))}\n  return {\n${fields.join('\n')}\n  }\n}\n`
}

const refusal = (what: string): string => `export default () => {\n  throw new Error(${JSON.stringify(what)})\n}\n`

/** What stands for code that cannot run here: it refuses, and says why. */
export const refusingProgram = (reason: string, code: string): string =>
  refusal(`This was taken over from n8n and has to be finished by hand: ${reason}. It was: ${code.slice(0, 2_000)}`)

/** What makes items of what a program returns, as n8n does. */
const unwrap = `const unwrapped = (value) => {
  const list = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
  return list.map((each) => (typeof each === 'object' && each !== null && 'json' in each ? each.json : each))
}`

/** The code of a code node. `all`: gives a list; `each`: gives what became of one item. */
export const nodeProgram = (code: string, mode: 'all' | 'each', names: Names): string => {
  const result = mode === 'all' ? 'unwrapped(await main())' : 'unwrapped(await main())[0] ?? null'
  const body = indented(code.trimEnd())
  return [
    `export default async (input, ${context}) => {`,
    indented(opening(code, names)),
    indented(unwrap),
    '  const main = async () => {',
    indented(body),
    '  }',
    `  return ${result}`,
    '}',
    '',
  ].join('\n')
}

const returnsOf = (statements: readonly Tree[], found: Tree[] = []): readonly Tree[] => {
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return void value.forEach(visit)
    if (typeof value !== 'object' || value === null || !('type' in value)) return
    const tree = value as Tree
    if (tree.type.includes('Function')) return
    if (tree.type === 'ReturnStatement') found.push(tree)
    for (const [key, part] of Object.entries(tree)) if (key !== 'type') visit(part)
  }
  visit(statements)
  return found
}

const isOne = (tree: Tree | null): boolean => {
  if (tree === null) return false
  if (tree.type === 'ObjectExpression') return true
  return (
    tree.type === 'ArrayExpression' && tree['elements'].length === 1 && (tree['elements'][0] as Tree | null)?.type === 'ObjectExpression'
  )
}

/** Whether a program that runs for all items always returns exactly one, as far as its text shows. */
export const returnsOne = (code: string): boolean => {
  try {
    const returns = returnsOf(parseBody(code))
    return returns.length > 0 && returns.every((tree) => isOne(tree['argument'] as Tree | null))
  } catch (error) {
    if (error instanceof Untranslatable) return false
    throw error
  }
}

/** Items of n8n, as they are pinned, without their wrapping. */
export const itemsOf = (value: Json | undefined): readonly Json[] =>
  Array.isArray(value)
    ? (value as readonly Json[]).map((each) => (isJsonObject(each) && each['json'] !== undefined ? each['json'] : each))
    : []
