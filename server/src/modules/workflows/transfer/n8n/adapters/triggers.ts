import type { Json, JsonObject } from '../../../../../lib/json.ts'
import { at, isExpression, listAt, numberAt, plain as textOf, textAt } from '../parameters.ts'
import type { Adapter, Gives, Site } from '../site.ts'

const trigger = (step: string, fields?: { readonly [name: string]: string | null }): readonly Gives[] => [
  { from: { step, port: 'out' }, place: fields === undefined ? { path: 'trigger' } : { path: 'trigger', fields } },
]

const first = (items: readonly Json[]): Json => items[0] ?? {}

/** A path as it may stand in an address here; that of the file where it can be. */
export const pathOf = (site: Site, given: string): string => {
  const { node } = site
  const fallback = typeof node.original['webhookId'] === 'string' ? node.original['webhookId'] : node.name
  const plain = (text: string): string =>
    text
      .split('/')
      .map((part) => part.replaceAll(/[^A-Za-z0-9._~-]+/g, '-').replaceAll(/^[.-]+|-+$/g, ''))
      .filter((part) => part !== '')
      .join('/')
      .slice(0, 200)
  const path = plain(isExpression(given) || given === '' ? fallback : given)
  if (isExpression(given)) site.left('Its path is an expression; paths are fixed here.')
  else if (given !== '' && plain(given) !== given.replaceAll(/^\/+|\/+$/g, ''))
    site.changed(`Its path is ${JSON.stringify(path)} here: a path is made of fixed parts of letters, digits, ".", "_", "~" and "-".`)
  return path === '' ? 'webhook' : path
}

/** What a webhook asks of its callers; the secret has to be chosen before it can be published, so that it is never open by accident. */
const authOf = (site: Site): JsonObject | null => {
  const kind = textAt(site.parameters, 'authentication') ?? 'none'
  if (kind === 'none') return null
  const named: { readonly [kind: string]: JsonObject } = {
    basicAuth: { type: 'basic', username: 'n8n' },
    headerAuth: { type: 'header', header: 'authorization' },
    jwtAuth: { type: 'header', header: 'authorization', prefix: 'Bearer ' },
  }
  site.left(
    kind === 'jwtAuth'
      ? 'It asked for a JWT; that is not checked here. Choose a secret that callers send instead.'
      : 'Choose the secret that its callers prove themselves with, and the user name or header; it cannot be published before.',
  )
  return named[kind] ?? { type: 'header', header: 'authorization' }
}

const responds: { readonly [mode: string]: string } = { onReceived: 'immediate', lastNode: 'last_node', responseNode: 'respond_node' }

const webhook: Adapter = {
  takes: 'trigger',
  pin: first,
  make: (site) => {
    const { parameters } = site
    const method = at(parameters, 'httpMethod') ?? 'GET'
    const methods = (Array.isArray(method) ? method : [method]).filter((each): each is string => typeof each === 'string')
    const respond = responds[textAt(parameters, 'responseMode') ?? 'onReceived'] ?? 'immediate'
    const code =
      numberAt(parameters, 'options.responseCode.values.responseCode') ??
      numberAt(parameters, 'responseCode') ??
      numberAt(parameters, 'options.responseCode')
    const auth = authOf(site)
    if (respond === 'immediate') site.changed('It answers at once with the id of the execution, not with the text of n8n.')
    for (const option of [
      'rawBody',
      'binaryPropertyName',
      'ipWhitelist',
      'ignoreBots',
      'allowedOrigins',
      'responseHeaders',
      'responsePropertyName',
    ])
      if (at(parameters, `options.${option}`) !== undefined) site.changed(`Its option ${option} has no counterpart.`)
    const id = site.step({
      type: 'trigger.webhook',
      config: {
        path: pathOf(site, textAt(parameters, 'path') ?? ''),
        ...(methods.length === 1 ? { method: methods[0] as string } : { methods }),
        respond,
        ...(respond === 'respond_node' ? {} : { status: code ?? 200 }),
        ...(auth === null ? {} : { auth }),
      },
    })
    return trigger(id, { params: null, webhookUrl: null, executionMode: null })
  },
}

const clamp = (value: number | null, low: number, high: number, otherwise: number): number =>
  value === null ? otherwise : Math.min(high, Math.max(low, Math.trunc(value)))

const days = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']

/** One interval of a schedule trigger; null: what cannot be had. */
const interval = (site: Site, rule: JsonObject): JsonObject | null => {
  const minute = clamp(numberAt(rule, 'triggerAtMinute'), 0, 59, 0)
  const hour = clamp(numberAt(rule, 'triggerAtHour'), 0, 23, 0)
  const every = (name: string, otherwise: number): number => clamp(numberAt(rule, name), 1, 100_000, otherwise)
  switch (textAt(rule, 'field') ?? 'days') {
    case 'seconds':
      return { every_ms: every('secondsInterval', 30) * 1000 }
    case 'minutes': {
      const count = every('minutesInterval', 5)
      return 60 % count === 0 ? { cron: count === 60 ? '0 * * * *' : `*/${count} * * * *` } : { every_ms: count * 60_000 }
    }
    case 'hours': {
      const count = every('hoursInterval', 1)
      return 24 % count === 0 ? { cron: `${minute} ${count === 1 ? '*' : `*/${count}`} * * *` } : { every_ms: count * 3_600_000 }
    }
    case 'days': {
      const count = every('daysInterval', 1)
      if (count > 1) site.changed(`Every ${count} days is counted within the month here.`)
      return { cron: `${minute} ${hour} ${count === 1 ? '*' : `*/${Math.min(count, 31)}`} * *` }
    }
    case 'weeks': {
      const on = at(rule, 'triggerAtDay')
      const list = Array.isArray(on) ? (on as readonly Json[]).map((day) => days[Number(day)]).filter((day) => day !== undefined) : []
      if (every('weeksInterval', 1) > 1) site.changed('It starts every week here, not every other.')
      return { cron: `${minute} ${hour} * * ${list.length === 0 ? 'SUN' : list.join(',')}` }
    }
    case 'months': {
      const count = every('monthsInterval', 1)
      return {
        cron: `${minute} ${hour} ${clamp(numberAt(rule, 'triggerAtDayOfMonth'), 1, 31, 1)} ${count === 1 ? '*' : `*/${Math.min(count, 12)}`} *`,
      }
    }
    case 'cronExpression':
      return cronOf(site, textAt(rule, 'expression'))
    default:
      return null
  }
}

const cronOf = (site: Site, expression: string | null): JsonObject | null => {
  if (expression === null || isExpression(expression)) {
    site.left('Its cron expression is worked out by an expression; it is fixed here.')
    return null
  }
  return { cron: expression.trim() }
}

/** One time of the old cron node. */
const oldTime = (site: Site, rule: JsonObject): JsonObject | null => {
  const minute = clamp(numberAt(rule, 'minute'), 0, 59, 0)
  const hour = clamp(numberAt(rule, 'hour'), 0, 23, 14)
  switch (textAt(rule, 'mode') ?? 'everyDay') {
    case 'everyMinute':
      return { cron: '* * * * *' }
    case 'everyHour':
      return { cron: `${minute} * * * *` }
    case 'everyX': {
      const count = clamp(numberAt(rule, 'value'), 1, 100_000, 2)
      return { every_ms: count * (textAt(rule, 'unit') === 'minutes' ? 60_000 : 3_600_000) }
    }
    case 'everyDay':
      return { cron: `${minute} ${hour} * * *` }
    case 'everyWeek':
      return { cron: `${minute} ${hour} * * ${textOf(at(rule, 'weekday'), '1')}` }
    case 'everyMonth':
      return { cron: `${minute} ${hour} ${clamp(numberAt(rule, 'dayOfMonth'), 1, 31, 1)} * *` }
    case 'custom':
      return cronOf(site, textAt(rule, 'cronExpression'))
    default:
      return null
  }
}

const scheduled = (site: Site, configs: readonly (JsonObject | null)[]): readonly Gives[] => {
  const zone = site.zone
  if (zone === null && configs.some((config) => config?.['cron'] !== undefined))
    site.note('The file names no time zone, so that of its n8n counted; here it is UTC until the workflow has one.')
  const known = configs.filter((config) => config !== null)
  const [config = { cron: '0 0 * * *' }, ...more] = known
  if (known.length < Math.max(1, configs.length)) site.left('A time of it could not be read; look at its cron expression.')
  const id = site.step({ type: 'trigger.schedule', config })
  for (const other of more) site.beside({ type: 'trigger.schedule', config: other })
  return trigger(id, { timestamp: 'fired_at' })
}

const schedule: Adapter = {
  takes: 'trigger',
  pin: first,
  make: (site) => {
    const rules = listAt(site.parameters, 'rule.interval')
    return scheduled(
      site,
      (rules.length === 0 ? [{}] : rules).map((rule) => interval(site, rule)),
    )
  },
}

const cron: Adapter = {
  takes: 'trigger',
  pin: first,
  make: (site) => {
    const rules = listAt(site.parameters, 'triggerTimes.item')
    return scheduled(
      site,
      (rules.length === 0 ? [{}] : rules).map((rule) => oldTime(site, rule)),
    )
  },
}

const oldInterval: Adapter = {
  takes: 'trigger',
  make: (site) => {
    const units: { readonly [unit: string]: number } = { seconds: 1000, minutes: 60_000, hours: 3_600_000 }
    const length = units[textAt(site.parameters, 'unit') ?? 'seconds'] ?? 1000
    return scheduled(site, [{ every_ms: clamp(numberAt(site.parameters, 'interval'), 1, 1_000_000, 1) * length }])
  },
}

const manual: Adapter = { takes: 'trigger', pin: first, make: (site) => trigger(site.step({ type: 'trigger.manual', config: {} })) }

const called: Adapter = {
  takes: 'trigger',
  pin: first,
  make: (site) => {
    site.note('Its payload is the input of the call.')
    return trigger(site.step({ type: 'trigger.manual', config: {} }))
  },
}

const failure: Adapter = {
  takes: 'trigger',
  make: (site) => {
    site.changed('What it starts with has other names here: `trigger.error.message`, `trigger.execution_id`, `trigger.workflow_name`.')
    const id = site.step({ type: 'trigger.failure', config: {} })
    return trigger(id)
  },
}

/** Triggers of services, forms and chats: somebody has to say what starts the workflow instead. */
export const foreignTrigger: Adapter = {
  takes: 'trigger',
  pin: first,
  make: (site) => {
    site.left(`Nothing here starts on ${site.node.type}. It can be started by hand; put a webhook, a schedule or an event in its place.`)
    return trigger(site.step({ type: 'trigger.manual', config: {} }))
  },
}

export const triggers: { readonly [kind: string]: Adapter } = {
  webhook,
  scheduleTrigger: schedule,
  cron,
  interval: oldInterval,
  manualTrigger: manual,
  start: manual,
  executeWorkflowTrigger: called,
  errorTrigger: failure,
}
