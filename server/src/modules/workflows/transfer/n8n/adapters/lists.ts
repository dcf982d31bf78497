import type { Json, JsonObject } from '../../../../../lib/json.ts'
import { quoted } from '../javascript/cel.ts'
import { isExpression, at, listAt, numberAt, textAt, plain } from '../parameters.ts'
import { returnsOne } from '../programs.ts'
import type { Adapter, Gives, NewStep, Site } from '../site.ts'

const many = (step: string): readonly Gives[] => [{ from: { step, port: 'out' }, place: { path: `steps.${step}.output` }, many: true }]
const single = (step: string): readonly Gives[] => [{ from: { step, port: 'out' }, place: { path: `steps.${step}.output` } }]
const list = (site: Site, step: NewStep): readonly Gives[] => many(site.step(step))
const all = (items: readonly Json[]): Json => items

/** `a.b` of an element; null where it is missing. */
const fieldOf = (base: string, name: string): string =>
  name.split('.').reduce((path, key) => `${path}[?${quoted(key)}]`, base) + '.orValue(null)'

const names = (value: Json | undefined): readonly string[] =>
  typeof value === 'string'
    ? value
        .replace(/^=/, '')
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '')
    : []

const split = (
  site: Site,
  field: Json | undefined,
  destination: string | null,
  include: string,
  kept: readonly string[],
): readonly Gives[] => {
  const [name = ''] = names(field)
  if (names(field).length > 1) site.left('It split several fields at once; only the first is split here.')
  const { path } = site.place
  const value =
    isExpression(field) && field.includes('{{') ? site.cel(field, 'fieldToSplitOut') : fieldOf(path, name.replace(/^\$json\./, ''))
  const target = destination === null || destination === '' ? (name.split('.').at(-1) ?? 'value') : destination
  const items = `{{ [${value}].map(found, found == null ? [] : type(found) == "list" ? found : [found]).first() }}`
  const object =
    include === 'noOtherFields' && (destination === null || destination === '')
      ? `type(item) == "map" ? item : {${quoted(target)}: item}`
      : `{${quoted(target)}: item}`
  const rest = include === 'allOtherFields' ? `${path}.omit([${quoted(name)}])` : `${path}.pick([${kept.map(quoted).join(', ')}])`
  const expression = include === 'noOtherFields' ? object : `${rest}.merge(${object})`
  return list(site, { type: 'data.map', config: { items, expression } })
}

const splitOut: Adapter = {
  takes: 'item',
  multiplies: true,
  pin: all,
  make: (site) => {
    const { parameters } = site
    const include = textAt(parameters, 'include') ?? 'noOtherFields'
    return split(
      site,
      parameters['fieldToSplitOut'],
      textAt(parameters, 'options.destinationFieldName'),
      include,
      names(parameters['fieldsToInclude']),
    )
  },
}

const valuesOf = (site: Site, field: string): string => `${site.list}.map(each, ${fieldOf('each', field)})`

/** One item with the values of a field of all. */
const gathered = (
  site: Site,
  fields: readonly { readonly from: string; readonly to: string }[],
  keep_missing: boolean,
): readonly Gives[] => {
  const values = fields.map(({ from, to }): [string, Json] => {
    const found = valuesOf(site, from)
    return [to, `{{ ${keep_missing ? found : `${found}.filter(value, value != null)`} }}`]
  })
  return single(site.step({ type: 'data.set', config: { values: Object.fromEntries(values) } }))
}

const whole = (site: Site, destination: string, include: string, kept: readonly string[]): readonly Gives[] => {
  const picked = kept.map(quoted).join(', ')
  const items =
    include === 'specifiedFields'
      ? `${site.list}.map(each, each.pick([${picked}]))`
      : include === 'allFieldsExcept'
        ? `${site.list}.map(each, each.omit([${picked}]))`
        : site.list
  return single(site.step({ type: 'data.set', config: { values: { [destination]: `{{ ${items} }}` } } }))
}

const aggregate: Adapter = {
  takes: 'all',
  pin: (items) => items[0] ?? {},
  make: (site) => {
    const { parameters } = site
    if (textAt(parameters, 'aggregate') === 'aggregateAllItemData') {
      const include = textAt(parameters, 'include') ?? 'allFields'
      const kept = names(parameters[include === 'specifiedFields' ? 'fieldsToInclude' : 'fieldsToExclude'])
      return whole(site, textAt(parameters, 'destinationFieldName') ?? 'data', include, kept)
    }
    const fields = listAt(parameters, 'fieldsToAggregate.fieldToAggregate').map(({ fieldToAggregate, renameField, outputFieldName }) => {
      const from = plain(fieldToAggregate)
      return { from, to: renameField === true && typeof outputFieldName === 'string' ? outputFieldName : (from.split('.').at(-1) ?? from) }
    })
    return gathered(site, fields, at(parameters, 'options.keepMissing') === true)
  },
}

const limit: Adapter = {
  takes: 'all',
  pin: all,
  make: (site) => {
    const count = Math.max(0, Math.trunc(numberAt(site.parameters, 'maxItems') ?? 1))
    const last = textAt(site.parameters, 'keep') === 'lastItems'
    const part = last ? (count === 0 ? 'slice(0, 0)' : `slice(-${count})`) : `slice(0, ${count})`
    return list(site, { type: 'data.map', config: { items: `{{ ${site.list}.${part} }}`, expression: 'item' } })
  },
}

const sorted = (site: Site, fields: readonly JsonObject[]): readonly Gives[] => {
  const by = fields.map(({ fieldName, order }): JsonObject => ({
    expression: fieldOf('item', plain(fieldName)),
    ...(order === 'descending' ? { order: 'desc' } : {}),
  }))
  return list(site, { type: 'data.sort', config: { items: `{{ ${site.list} }}`, by: by.length === 0 ? [{ expression: 'index' }] : by } })
}

const sort: Adapter = {
  takes: 'all',
  pin: all,
  make: (site) => {
    const type = textAt(site.parameters, 'type') ?? 'simple'
    if (type !== 'simple')
      site.left(type === 'random' ? 'It shuffled; the order stays here.' : 'It sorted by a program; the order stays here.')
    return sorted(site, type === 'simple' ? listAt(site.parameters, 'sortFieldsUi.sortField') : [])
  },
}

const deduped = (site: Site, compare: string, fields: readonly string[]): readonly Gives[] => {
  const picked = fields.map(quoted).join(', ')
  const by =
    compare === 'selectedFields'
      ? { by: `[${fields.map((name) => fieldOf('item', name)).join(', ')}]` }
      : compare === 'allFieldsExcept'
        ? { by: `item.omit([${picked}])` }
        : {}
  return list(site, { type: 'data.dedupe', config: { items: `{{ ${site.list} }}`, ...by } })
}

const removeDuplicates: Adapter = {
  takes: 'all',
  pin: all,
  make: (site) => {
    const { parameters } = site
    if ((textAt(parameters, 'operation') ?? 'removeDuplicateInputItems') !== 'removeDuplicateInputItems')
      site.left('It compared with earlier executions; here it compares the items with one another.')
    const compare = textAt(parameters, 'compare') ?? 'allFields'
    return deduped(site, compare, names(parameters[compare === 'selectedFields' ? 'fieldsToCompare' : 'fieldsToExclude']))
  },
}

const operations: { readonly [operation: string]: string } = {
  sum: 'sum',
  average: 'avg',
  min: 'min',
  max: 'max',
  concatenate: 'join',
  append: 'collect',
  count: 'count',
}

const summarize: Adapter = {
  takes: 'all',
  make: (site) => {
    const { parameters } = site
    const groups = names(parameters['fieldsToSplitBy'])
    const fields = listAt(parameters, 'fieldsToSummarize.values').map(({ aggregation, field, separateBy }): JsonObject => {
      const op = operations[plain(aggregation, 'count')]
      if (op === undefined) site.left(`The summary ${JSON.stringify(plain(aggregation))} has no counterpart; it counts.`)
      const made = { sum: 'sum_', avg: 'average_', min: 'min_', max: 'max_', join: 'concatenated_', collect: 'appended_', count: 'count_' }[
        op ?? 'count'
      ]
      return {
        name: `${made}${plain(field).replaceAll('.', '_')}`,
        op: op ?? 'count',
        of: fieldOf('item', plain(field)),
        ...(op === 'join' ? { separator: typeof separateBy === 'string' ? separateBy : ',' } : {}),
      }
    })
    const by = groups.length === 0 ? {} : { group_by: Object.fromEntries(groups.map((name) => [name, fieldOf('item', name)])) }
    const id = site.step({ type: 'data.aggregate', config: { items: `{{ ${site.list} }}`, ...by, fields } })
    return groups.length === 0 ? single(id) : many(id)
  },
}

/** The older node that was all of these. */
export const itemLists = (parameters: JsonObject): Adapter | null => {
  const operation = textAt(parameters, 'operation') ?? 'splitOutItems'
  if (operation === 'splitOutItems') return splitOut
  if (operation === 'limit') return limit
  if (operation === 'summarize') return summarize
  if (operation === 'sort') return sort
  if (operation === 'removeDuplicates') return removeDuplicates
  return operation === 'aggregateItems' || operation === 'concatenateItems' ? aggregate : null
}

const codeAll: Adapter = {
  takes: 'all',
  multiplies: true,
  pin: all,
  make: (site) => {
    const code = textAt(site.parameters, 'jsCode') ?? textAt(site.parameters, 'functionCode') ?? ''
    const one = returnsOne(code)
    site.changed('Its program runs in the sandbox, without n8n’s own functions; `$json`, `items`, `$input` and `$()` are there.')
    const id = site.step({ type: 'data.code', config: { source: site.program(code, one ? 'each' : 'all') }, works: true })
    return one ? single(id) : many(id)
  },
}

const codeEach: Adapter = {
  takes: 'item',
  pin: (items) => items[0] ?? {},
  make: (site) => {
    const code = textAt(site.parameters, 'jsCode') ?? textAt(site.parameters, 'functionCode') ?? ''
    site.changed('Its program runs in the sandbox, without n8n’s own functions; `$json`, `item`, `$input` and `$()` are there.')
    // The old node has the fields themselves in `item`.
    const old = site.node.kind === 'functionItem'
    const source = site.program(old ? `return ((item) => {\n${code}\n})($json)` : code, 'each')
    return single(site.step({ type: 'data.code', config: { source }, works: true }))
  },
}

/** JavaScript, for all items or each; null for Python. */
export const code = (parameters: JsonObject): Adapter | null => {
  if ((textAt(parameters, 'language') ?? 'javaScript') !== 'javaScript') return null
  return textAt(parameters, 'mode') === 'runOnceForEachItem' ? codeEach : codeAll
}

export const lists: { readonly [kind: string]: Adapter } = {
  splitOut,
  aggregate,
  limit,
  sort,
  removeDuplicates,
  summarize,
  function: codeAll,
  functionItem: codeEach,
}
