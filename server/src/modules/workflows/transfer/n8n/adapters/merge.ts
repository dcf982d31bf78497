import { quoted } from '../javascript/cel.ts'
import { at, listAt, numberAt, textAt, plain } from '../parameters.ts'
import type { Adapter, Gives, Site } from '../site.ts'

const fieldOf = (base: string, name: string): string =>
  name.split('.').reduce((path, key) => `${path}[?${quoted(key)}]`, base) + '.orValue(null)'

const names = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '')
    : []

const matchesOf = ({ parameters, node }: Site): readonly (readonly [string, string])[] => {
  const simple = names(parameters['fieldsToMatchString'])
  if (node.version >= 3 && parameters['advanced'] !== true) return simple.map((name) => [name, name])
  if (node.version < 2) return [[plain(parameters['propertyName1']), plain(parameters['propertyName2'])]]
  const listed = [...listAt(parameters, 'mergeByFields.values'), ...listAt(parameters, 'fieldsToMatch.values')]
  return listed.map(({ field1, field2 }) => [plain(field1), plain(field2 ?? field1)])
}

/** CEL of a join of two lists by fields. */
const joined = (site: Site, one: string, two: string, mode: string): string => {
  const same = matchesOf(site)
    .map(([left, right]) => `${fieldOf('left', left)} == ${fieldOf('right', right)}`)
    .join(' && ')
  const test = same === '' ? 'false' : same
  const pairs = `${one}.map(left, ${two}.filter(right, ${test}).map(right, left.merge(right))).flatten()`
  const alone_one = `${one}.filter(left, !${two}.exists(right, ${test}))`
  const alone_two = `${two}.filter(right, !${one}.exists(left, ${test}))`
  switch (mode) {
    case 'keepNonMatches': {
      const from = textAt(site.parameters, 'outputDataFrom') ?? 'both'
      return from === 'input1' ? alone_one : from === 'input2' ? alone_two : `${alone_one} + ${alone_two}`
    }
    case 'keepEverything':
      return `${pairs} + ${alone_one} + ${alone_two}`
    case 'enrichInput1':
      return `${one}.map(left, ${two}.exists(right, ${test}) ? ${two}.filter(right, ${test}).map(right, left.merge(right)) : [left]).flatten()`
    case 'enrichInput2':
      return `${two}.map(right, ${one}.exists(left, ${test}) ? ${one}.filter(left, ${test}).map(left, left.merge(right)) : [right]).flatten()`
    default: {
      const from = textAt(site.parameters, 'outputDataFrom') ?? 'both'
      if (from === 'input1') return `${one}.filter(left, ${two}.exists(right, ${test}))`
      return from === 'input2' ? `${two}.filter(right, ${one}.exists(left, ${test}))` : pairs
    }
  }
}

interface How {
  readonly kind: 'append' | 'position' | 'cross' | 'fields' | 'choose' | 'unknown'
  readonly mode: string
}

/** What the versions call the same. */
const howOf = ({ parameters, node }: Site): How => {
  const mode = textAt(parameters, 'mode') ?? 'append'
  const join = textAt(parameters, 'joinMode') ?? 'keepMatches'
  const by: { readonly [name: string]: How } = {
    append: { kind: 'append', mode: '' },
    mergeByIndex: { kind: 'position', mode: '' },
    multiplex: { kind: 'cross', mode: '' },
    mergeByKey: { kind: 'fields', mode: 'enrichInput1' },
    keepKeyMatches: { kind: 'fields', mode: 'input1' },
    removeKeyMatches: { kind: 'fields', mode: 'keepNonMatches' },
    passThrough: { kind: 'choose', mode: textAt(parameters, 'output') ?? 'input1' },
    wait: { kind: 'choose', mode: 'empty' },
    chooseBranch: { kind: 'choose', mode: textAt(parameters, 'output') ?? 'specifiedInput' },
  }
  if (mode !== 'combine') return by[mode] ?? { kind: 'unknown', mode }
  const combine = (node.version < 3 ? textAt(parameters, 'combinationMode') : textAt(parameters, 'combineBy')) ?? 'combineByFields'
  if (combine === 'combineByPosition' || combine === 'mergeByPosition') return { kind: 'position', mode: '' }
  if (combine === 'combineAll' || combine === 'multiplex') return { kind: 'cross', mode: '' }
  return combine === 'combineByFields' || combine === 'mergeByFields' ? { kind: 'fields', mode: join } : { kind: 'unknown', mode: combine }
}

const byPosition = (one: string, two: string, unpaired: boolean): string =>
  unpaired
    ? `range(max(size(${one}), size(${two}))).map(at, ${one}[?at].orValue({}).merge(${two}[?at].orValue({})))`
    : `range(min(size(${one}), size(${two}))).map(at, ${one}[at].merge(${two}[at]))`

const chosenOf = (site: Site, mode: string): string => {
  if (mode === 'empty') return '[{}]'
  const index = mode === 'specifiedInput' ? (numberAt(site.parameters, 'useDataOfInput') ?? 1) : mode === 'input2' ? 2 : 1
  return (site.inputs[index - 1] ?? site.inputs[0])?.list ?? '[]'
}

const resultOf = (site: Site): string => {
  const { inputs, parameters } = site
  const how = howOf(site)
  const [one = '[]', two = '[]'] = inputs.map(({ list }) => (/^[\w.[\]]+$/.test(list) ? list : `(${list})`))
  if (how.kind === 'choose') return chosenOf(site, how.mode)
  if (how.kind === 'append') return inputs.map(({ list }) => list).join(' + ') || '[]'
  if (how.kind === 'unknown') {
    site.left(`Its mode ${JSON.stringify(how.mode)} has no counterpart; the items are put behind one another.`)
    return inputs.map(({ list }) => list).join(' + ') || '[]'
  }
  if (inputs.length > 2) site.left('It combined more than two inputs; only two are combined here.')
  if (at(parameters, 'options.clashHandling.values.resolveClash') === 'preferInput1')
    site.changed('Where both have a field, that of the second input counts here.')
  if (how.kind === 'position') return byPosition(one, two, at(parameters, 'options.includeUnpaired') === true)
  if (how.kind === 'cross') return `${one}.map(left, ${two}.map(right, left.merge(right))).flatten()`
  if (how.kind === 'fields' && how.mode === 'input1')
    return joined({ ...site, parameters: { ...parameters, outputDataFrom: 'input1' } }, one, two, 'keepMatches')
  if (how.kind === 'fields' && how.mode === 'keepNonMatches' && site.node.version < 2)
    return joined({ ...site, parameters: { ...parameters, outputDataFrom: 'input1' } }, one, two, 'keepNonMatches')
  return joined(site, one, two, how.mode)
}

/** Whether the result is one item, for sure. */
const isSingle = (site: Site): boolean => {
  const { inputs } = site
  const how = howOf(site)
  const all_single = inputs.length > 0 && inputs.every(({ many }) => !many)
  return (
    all_single &&
    (how.kind === 'position' || how.kind === 'cross' || how.kind === 'choose' || (how.kind === 'append' && inputs.length === 1))
  )
}

export const merge: Adapter = {
  takes: 'all',
  multiplies: true,
  pin: (items) => items,
  make: (site): readonly Gives[] => {
    const { inputs, exclusive } = site
    const alone = exclusive && inputs.length > 1 && inputs.every(({ many }) => !many)
    if (alone) site.note('Its inputs exclude each other: it goes on with the one that comes.')
    else site.note('It waits for all of its inputs that are taken.')
    const result = alone ? inputs.map(({ list }) => list).join(' + ') : resultOf(site)
    if (alone || isSingle(site)) {
      const id = site.step({ type: 'data.set', config: { values: `{{ (${result}).first() }}` } })
      return [{ from: { step: id, port: 'out' }, place: { path: `steps.${id}.output` } }]
    }
    const id = site.step({ type: 'data.map', config: { items: `{{ ${result} }}`, expression: 'item' } })
    return [{ from: { step: id, port: 'out' }, place: { path: `steps.${id}.output` }, many: true }]
  },
}
