import { isJsonObject, type Json, type JsonObject } from '../../../../../lib/json.ts'
import { conditionOf, oldConditionOf, oldOperation } from '../conditions.ts'
import { quoted, Untranslatable } from '../javascript/cel.ts'
import { at, chosen, isExpression, listAt, numberAt, textAt, plain } from '../parameters.ts'
import type { Adapter, Gives, Site } from '../site.ts'
import { jsonCel } from './fields.ts'

const pass = (site: Site, step: string, port = 'out'): Gives => ({ from: { step, port }, place: site.place })

const conditions = (site: Site): string => (site.node.version < 2 ? oldConditionOf(site) : conditionOf(site, site.parameters, 'conditions'))

const branch: Adapter = {
  takes: 'item',
  chooses: true,
  make: (site) => {
    const id = site.step({
      type: 'flow.if',
      config: { condition: conditions(site) },
      ...(site.node.on_error === 'error' ? { works: true } : {}),
    })
    return [pass(site, id, 'true'), pass(site, id, 'false')]
  },
}

const filter: Adapter = {
  takes: 'item',
  chooses: true,
  make: (site) => {
    const id = site.step({ type: 'flow.if', config: { condition: conditions(site) } })
    return [pass(site, id, 'true')]
  },
}

interface Case {
  readonly when: string
  readonly output: number
}

const oldRules = (site: Site): readonly Case[] => {
  const { parameters } = site
  const type = textAt(parameters, 'dataType') ?? 'number'
  return listAt(parameters, 'rules.rules').map((rule, index) => {
    const l = site.cel(parameters['value1'] ?? '', 'value1')
    const r = site.cel(rule['value2'] ?? '', `rules.rules.${index}.value2`)
    const output = Number(rule['output'] ?? rule['outputIndex'] ?? index)
    try {
      const when = oldOperation(type, textAt(rule, 'operation') ?? undefined, { l, r, right: rule['value2'] })
      return { when, output: Number.isInteger(output) ? output : index }
    } catch (error) {
      if (!(error instanceof Untranslatable)) throw error
      site.left(`A rule is for you to finish, and never matches until then: ${error.message}.`)
      return { when: 'false', output: index }
    }
  })
}

const rulesOf = (site: Site): readonly Case[] => {
  const { parameters, node } = site
  if (textAt(parameters, 'mode') === 'expression') {
    const count = Math.min(100, Math.max(1, numberAt(parameters, 'numberOutputs') ?? numberAt(parameters, 'outputsAmount') ?? 4))
    const path = node.version < 3 && parameters['output'] === undefined ? 'value1' : 'output'
    const chosen_output = site.cel(parameters[path], path)
    return Array.from({ length: count }, (_, output) => ({ when: `${chosen_output} == ${output}`, output }))
  }
  const modern = listAt(parameters, 'rules.values')
  if (modern.length > 0)
    return modern.map((rule, index) => ({ when: conditionOf(site, rule, `rules.values.${index}.conditions`), output: index }))
  return oldRules(site)
}

const choice: Adapter = {
  takes: 'item',
  chooses: true,
  make: (site) => {
    const { parameters } = site
    const rules = rulesOf(site).slice(0, 100)
    const ports = rules.map((_, index) => `case_${index}`)
    const all = at(parameters, 'options.allMatchingOutputs') === true
    if (all) site.changed('Of what comes together behind several outputs at once, the items are taken together.')
    const cases = rules.map(({ when }, index) => ({ port: ports[index] as string, when }))
    const config: JsonObject = {
      cases: cases.length === 0 ? [{ port: 'case_0', when: 'false' }] : cases,
      ...(all ? { first_match: false } : {}),
    }
    const id = site.step({ type: 'flow.switch', config })
    const gives: (Gives | null)[] = []
    rules.forEach(({ output }, index) => {
      const port = ports[index] as string
      const known = gives[output]
      if (known === undefined || known === null) gives[output] = pass(site, id, port)
      else site.left(`Several rules lead to output ${output}; only the first does here.`)
    })
    const fallback = at(parameters, 'options.fallbackOutput') ?? at(parameters, 'fallbackOutput')
    if (fallback === 'extra') gives[Math.max(rules.length, gives.length)] = pass(site, id, 'otherwise')
    else if (typeof fallback === 'number' && fallback >= 0) {
      if (gives[fallback] === undefined) gives[fallback] = pass(site, id, 'otherwise')
      else site.left(`What matches nothing went to output ${fallback}; lead the port "otherwise" there.`)
    }
    return Array.from(gives, (each) => each ?? null)
  },
}

const noOp: Adapter = {
  takes: 'all',
  make: (site) => {
    const id = site.step({ type: 'flow.merge', config: { mode: 'first' } })
    return [{ ...pass(site, id), many: !site.one, place: site.one ? site.place : { path: site.list } }]
  },
}

const units: { readonly [unit: string]: number } = { seconds: 1000, minutes: 60_000, hours: 3_600_000, days: 86_400_000 }

const wait: Adapter = {
  takes: 'all',
  make: (site) => {
    const { parameters, node } = site
    const gives = (id: string): readonly Gives[] => [
      { ...pass(site, id), many: !site.one, place: site.one ? site.place : { path: site.list } },
    ]
    const resume = textAt(parameters, 'resume') ?? 'timeInterval'
    if (resume === 'specificTime') {
      const value = parameters['dateTime']
      const fixed = typeof value === 'string' && !isExpression(value)
      const zone = site.zone === null ? '' : `, ${quoted(site.zone)}`
      const until = `{{ timestamp(${site.cel(value, 'dateTime')}${zone}) }}`
      if (fixed && zone === '') site.note('The time is taken in UTC: the file names no time zone.')
      return gives(site.step({ type: 'flow.wait', config: { until }, works: true }))
    }
    if (resume === 'webhook' || resume === 'form') {
      if (resume === 'form') site.left('It showed a form; here it waits for a call of `execution.resume_url`.')
      else site.changed('It goes on when `execution.resume_url` is called with POST, and gives what that brings.')
      const limited = parameters['limitWaitTime'] === true
      const length = (numberAt(parameters, 'resumeAmount') ?? 1) * (units[textAt(parameters, 'resumeUnit') ?? 'hours'] ?? 3_600_000)
      const id = site.step({
        type: 'flow.wait',
        config: { webhook: true, ...(limited ? { timeout_ms: Math.max(1_000, Math.round(length)) } : {}) },
        works: true,
      })
      return [{ from: { step: id, port: 'out' }, place: { path: `steps.${id}.output` } }]
    }
    const unit = units[textAt(parameters, 'unit') ?? (node.version < 1.1 ? 'hours' : 'seconds')] ?? 1000
    const amount = parameters['amount'] ?? (node.version < 1.1 ? 1 : 5)
    const ms: Json =
      typeof amount === 'number' ? Math.max(0, Math.round(amount * unit)) : `{{ int(number(${site.cel(amount, 'amount')}) * ${unit}) }}`
    return gives(site.step({ type: 'flow.wait', config: { for_ms: ms }, works: true }))
  },
}

const isUuid = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)

const call = (site: Site): readonly Gives[] => {
  const { parameters, one } = site
  const wanted = chosen(parameters['workflowId'])
  const waits = at(parameters, 'options.waitForSubWorkflow') !== false
  const own = typeof wanted === 'string' && /^=\s*\{\{\s*\$workflow\.id\s*\}\}\s*$/.test(wanted)
  const source = textAt(parameters, 'source') ?? 'database'
  if (source !== 'database')
    site.left('The workflow that it calls stood in the node or in a file: import that by itself, and name it here.')
  else if (!own && !isUuid(wanted))
    site.left(`It calls the workflow ${JSON.stringify(plain(wanted).slice(0, 100))} of n8n: import that, and put its id here.`)
  const inputs = at(parameters, 'workflowInputs.value')
  const given =
    isJsonObject(inputs) && Object.keys(inputs).length > 0
      ? site.made(inputs, 'workflowInputs.value')
      : `{{ ${one ? site.place.path : site.list} }}`
  const workflow_id: Json = own
    ? '{{ execution.workflow_id }}'
    : wanted === undefined || wanted === null || wanted === ''
      ? 'the id of the workflow'
      : site.made(wanted, 'workflowId')
  const id = site.step({ type: 'flow.call', config: { workflow_id, input: given, ...(waits ? {} : { wait: false }) }, works: true })
  const place = waits ? { path: `steps.${id}.output` } : site.place
  return [{ from: { step: id, port: 'out' }, place }]
}

const callEach: Adapter = { takes: 'item', make: call }
const callOnce: Adapter = {
  takes: 'all',
  make: (site) => {
    if (!site.one) site.changed('All items go into one call, as a list; what it gives is one item.')
    return call(site)
  },
}

/** One call for each item, or one for all. */
export const executeWorkflow = (parameters: JsonObject): Adapter => (textAt(parameters, 'mode') === 'each' ? callEach : callOnce)

const headersOf = (site: Site): JsonObject =>
  Object.fromEntries(
    listAt(site.parameters, 'options.responseHeaders.entries').map(({ name, value }, index) => [
      plain(name, 'x-header').toLowerCase(),
      site.made(value, `options.responseHeaders.entries.${index}.value`),
    ]),
  )

const respondBody = (site: Site): { readonly body: Json; readonly status?: number; readonly headers?: JsonObject } => {
  const { parameters, list, one, place } = site
  const kind = textAt(parameters, 'respondWith') ?? 'firstIncomingItem'
  const key = textAt(parameters, 'options.responseKey')
  const under = (body: string): Json => (key === null || key === '' ? `{{ ${body} }}` : { [key]: `{{ ${body} }}` })
  switch (kind) {
    case 'firstIncomingItem':
      return { body: under(one ? place.path : `${list}.first()`) }
    case 'allIncomingItems':
      return { body: under(list) }
    case 'json':
      return { body: `{{ ${jsonCel(site, 'responseBody')} }}` }
    case 'text':
      return {
        body: `{{ string(${site.cel(parameters['responseBody'] ?? '', 'responseBody')}) }}`,
        headers: { 'content-type': 'text/html; charset=utf-8' },
      }
    case 'noData':
      return { body: '' }
    case 'redirect':
      return { body: '', status: 307, headers: { location: site.made(parameters['redirectURL'] ?? '', 'redirectURL') } }
    default:
      site.left(`It answered with ${kind}, which cannot be made here.`)
      return { body: null }
  }
}

const respond: Adapter = {
  takes: 'all',
  make: (site) => {
    const { body, status, headers = {} } = respondBody(site)
    const code = at(site.parameters, 'options.responseCode') ?? status
    const own = { ...headers, ...headersOf(site) }
    const id = site.step({
      type: 'http.respond',
      config: {
        ...(code === undefined ? {} : { status: site.made(code, 'options.responseCode') }),
        ...(Object.keys(own).length === 0 ? {} : { headers: own }),
        body,
      },
      works: true,
    })
    return [{ ...pass(site, id), many: !site.one, place: site.one ? site.place : { path: site.list } }]
  },
}

const stop: Adapter = {
  takes: 'all',
  make: (site) => {
    const { parameters } = site
    const object = textAt(parameters, 'errorType') === 'errorObject'
    const message = object
      ? `{{ string(${jsonCel(site, 'errorObject')}) }}`
      : site.made(parameters['errorMessage'] ?? 'The workflow was stopped', 'errorMessage')
    site.step({ type: 'flow.stop', config: { status: 'failed', message } })
    return []
  },
}

/** Its loop is made where the graph is; it has no step of its own. */
const batches: Adapter = { takes: 'all', make: () => [] }

export const flow: { readonly [kind: string]: Adapter } = {
  if: branch,
  filter,
  switch: choice,
  noOp,
  wait,
  respondToWebhook: respond,
  stopAndError: stop,
  splitInBatches: batches,
}
