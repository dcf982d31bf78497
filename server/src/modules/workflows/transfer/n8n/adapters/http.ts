import { isJsonObject, type Json, type JsonObject } from '../../../../../lib/json.ts'
import { isExpression, at, chosen, listAt, numberAt, textAt, plain } from '../parameters.ts'
import type { Adapter, Gives, Site } from '../site.ts'
import { itemsOf } from '../programs.ts'
import { jsonCel } from './fields.ts'

/** Nodes that are there for lists: what comes before them is taken for one. */
const of_lists = new Set(['splitInBatches', 'limit', 'sort', 'removeDuplicates', 'aggregate', 'summarize', 'filter', 'itemLists'])

const pairs = (site: Site, path: string): JsonObject =>
  Object.fromEntries(
    listAt(site.parameters, path).flatMap(({ name, value }, index) =>
      name === undefined || name === '' ? [] : [[plain(name), site.made(value ?? '', `${path}.${index}.value`)]],
    ),
  )

const some = (name: string, value: Json | undefined): JsonObject =>
  value === undefined || (isJsonObject(value) && Object.keys(value).length === 0) ? {} : { [name]: value }

/** JSON in a parameter: as it stands where it holds no expression. */
const json = (site: Site, path: string): Json => {
  const given = textAt(site.parameters, path)
  if (given !== null && !isExpression(given)) {
    try {
      return site.made(JSON.parse(given) as Json, path)
    } catch {
      site.left(`Its ${path} is no JSON.`)
      return {}
    }
  }
  return `{{ ${jsonCel(site, path)} }}`
}

interface Parts {
  readonly method: string
  readonly query: Json | undefined
  readonly headers: JsonObject
  readonly body: Json | undefined
}

const modernBody = (site: Site): { readonly body?: Json; readonly type?: string } => {
  const { parameters } = site
  if (parameters['sendBody'] !== true) return {}
  const type = textAt(parameters, 'contentType') ?? 'json'
  if (type === 'raw') {
    const mime = textAt(parameters, 'rawContentType')
    const body = site.value('body')
    return mime === null || mime === '' ? { body } : { body, type: mime }
  }
  if (type === 'multipart-form-data' || type === 'binaryData') {
    site.left('Files are not sent: it sent a form with parts or a file.')
    return { body: pairs(site, 'bodyParameters.parameters') }
  }
  const specified = textAt(parameters, 'specifyBody') ?? 'keypair'
  if (type === 'form-urlencoded') {
    const form = 'application/x-www-form-urlencoded'
    return { body: specified === 'string' ? site.value('body') : pairs(site, 'bodyParameters.parameters'), type: form }
  }
  if (specified === 'json') return { body: json(site, 'jsonBody') }
  return { body: specified === 'string' ? site.value('body') : pairs(site, 'bodyParameters.parameters') }
}

const modern = (site: Site): Parts => {
  const { parameters } = site
  const { body, type } = modernBody(site)
  const query =
    parameters['sendQuery'] !== true
      ? undefined
      : textAt(parameters, 'specifyQuery') === 'json'
        ? json(site, 'jsonQuery')
        : pairs(site, 'queryParameters.parameters')
  const asked =
    parameters['sendHeaders'] !== true
      ? {}
      : textAt(parameters, 'specifyHeaders') === 'json'
        ? json(site, 'jsonHeaders')
        : pairs(site, 'headerParameters.parameters')
  if (!isJsonObject(asked)) site.left('Its headers are worked out as a whole: name them one by one.')
  const headers = isJsonObject(asked) ? asked : {}
  return {
    method: textAt(parameters, 'method') ?? 'GET',
    query,
    headers: type === undefined ? headers : { 'content-type': type, ...headers },
    body,
  }
}

/** Versions 1 and 2. */
const old = (site: Site): Parts => {
  const { parameters } = site
  const as_json = parameters['jsonParameters'] === true
  const method = textAt(parameters, 'requestMethod') ?? textAt(parameters, 'method') ?? 'GET'
  const query = as_json
    ? parameters['queryParametersJson'] === undefined
      ? undefined
      : json(site, 'queryParametersJson')
    : pairs(site, 'queryParametersUi.parameter')
  const asked = as_json
    ? parameters['headerParametersJson'] === undefined
      ? {}
      : json(site, 'headerParametersJson')
    : pairs(site, 'headerParametersUi.parameter')
  if (!isJsonObject(asked)) site.left('Its headers are worked out as a whole: name them one by one.')
  const type = textAt(parameters, 'bodyContentType') ?? textAt(parameters, 'options.bodyContentType') ?? 'json'
  const has_body = method !== 'GET' && method !== 'HEAD'
  const fields = !has_body
    ? undefined
    : as_json
      ? parameters['bodyParametersJson'] === undefined
        ? undefined
        : json(site, 'bodyParametersJson')
      : pairs(site, 'bodyParametersUi.parameter')
  if (type === 'multipart-form-data' || parameters['sendBinaryData'] === true)
    site.left('Files are not sent: it sent a form with parts or a file.')
  const headers = isJsonObject(asked) ? asked : {}
  const form = type === 'form-urlencoded' ? { 'content-type': 'application/x-www-form-urlencoded' } : {}
  return { method, query, headers: { ...form, ...headers }, body: fields }
}

const noteOptions = (site: Site): void => {
  const { parameters } = site
  const kind = textAt(parameters, 'authentication') ?? 'none'
  if (kind !== 'none') {
    const which = textAt(parameters, 'genericAuthType') ?? textAt(parameters, 'nodeCredentialType') ?? kind
    site.changed(`Connection needed: it used ${which}. Choose an integration as its \`integration_id\`.`)
  }
  const known: { readonly [option: string]: string } = {
    pagination: 'It fetched page after page; here it fetches one.',
    batching: 'Its batches of requests have no counterpart; a rate limit of the workflow may do.',
    proxy: 'Its proxy is left out.',
    allowUnauthorizedCerts: 'Certificates are always checked.',
    redirect: 'Redirects are followed as the server does.',
  }
  for (const [option, text] of Object.entries(known)) if (at(parameters, `options.${option}`) !== undefined) site.changed(text)
}

const expectsList = (site: Site): boolean => {
  if (itemsOf(site.pinned).length > 1) return true
  return site.next.some(
    ({ kind, parameters }) =>
      of_lists.has(kind) && !(kind === 'itemLists' && (textAt(parameters, 'operation') ?? 'splitOutItems') === 'splitOutItems'),
  )
}

const gives = (site: Site, id: string): readonly Gives[] => {
  const { parameters } = site
  const from = { step: id, port: 'out' }
  const full = at(parameters, 'options.response.response.fullResponse') === true || at(parameters, 'options.fullResponse') === true
  if (full) return [{ from, place: { path: `steps.${id}.output`, fields: { statusCode: 'status', statusMessage: null } } }]
  const format = textAt(parameters, 'options.response.response.responseFormat') ?? textAt(parameters, 'responseFormat')
  if (format === 'file') site.left('It fetched a file; files are not passed from step to step.')
  if (format === 'text' || format === 'string') {
    const name = textAt(parameters, 'options.response.response.outputPropertyName') ?? textAt(parameters, 'dataPropertyName') ?? 'data'
    return [{ from, place: { path: `steps.${id}.output`, fields: { [name]: 'body' } } }]
  }
  const body = `steps.${id}.output.body`
  if (!expectsList(site)) {
    site.changed('When it answers with a list, n8n goes on with an item for each element; here the list is one item.')
    return [{ from, place: { path: body } }]
  }
  site.note('What follows works on lists, so each element of its answer becomes an item.')
  const list = site.step({
    type: 'data.map',
    config: { items: `{{ type(${body}) == "list" ? ${body} : [${body}] }}`, expression: 'item' },
    suffix: 'items',
  })
  return [{ from: { step: list, port: 'out' }, place: { path: `steps.${list}.output` }, many: true }]
}

const request: Adapter = {
  takes: 'item',
  multiplies: true,
  pin: (items) => ({ status: 200, headers: {}, body: items.length === 1 ? (items[0] as Json) : items, duration_ms: 0 }),
  make: (site) => {
    const { parameters, node } = site
    const { method, query, headers, body } = node.version < 3 ? old(site) : modern(site)
    noteOptions(site)
    const known = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method)
    if (!known) site.left(`Its method is ${JSON.stringify(method.slice(0, 40))}; methods are fixed here.`)
    const timeout = numberAt(parameters, 'options.timeout')
    const never = at(parameters, 'options.response.response.neverError') === true || at(parameters, 'options.ignoreResponseCode') === true
    const id = site.step({
      type: 'http.request',
      config: {
        method: known ? method : 'POST',
        url: site.made(chosen(parameters['url']) ?? '', 'url'),
        ...some('query', query),
        ...some('headers', headers),
        ...(body === undefined || method === 'GET' || method === 'HEAD' ? {} : some('body', body)),
        timeout_ms: Math.min(300_000, Math.max(1, Math.trunc(timeout ?? 300_000))),
        ...(never ? { accept_status: '1xx,2xx,3xx,4xx,5xx' } : {}),
      },
      works: true,
    })
    return gives(site, id)
  },
}

const roles: { readonly [role: string]: string } = { system: 'system', assistant: 'assistant', user: 'user' }

/** A message to a model, as the request that n8n makes of it. */
const chat: Adapter = {
  takes: 'item',
  make: (site) => {
    const { parameters, node } = site
    const legacy = node.type.startsWith('n8n-nodes-base')
    const list = legacy ? 'prompt.messages' : 'messages.values'
    const messages = listAt(parameters, list).map(({ role, content }, index) => ({
      role: roles[plain(role)] ?? 'user',
      content: site.made(content ?? '', `${list}.${index}.content`),
    }))
    const model = chosen(parameters['modelId'] ?? parameters['chatModel'] ?? parameters['model']) ?? 'gpt-4o-mini'
    const option = (from: string, to: string): JsonObject =>
      some(to, at(parameters, `options.${from}`) === undefined ? undefined : site.value(`options.${from}`))
    site.changed('Connection needed: choose the integration with OpenAI as its `integration_id`.')
    const id = site.step({
      type: 'http.request',
      config: {
        method: 'POST',
        url: 'https://api.openai.com/v1/chat/completions',
        body: {
          model: site.made(model, 'model'),
          messages,
          ...option('temperature', 'temperature'),
          ...option('maxTokens', 'max_tokens'),
          ...option('topP', 'top_p'),
          ...(parameters['jsonOutput'] === true ? { response_format: { type: 'json_object' } } : {}),
        },
        timeout_ms: 300_000,
      },
      works: true,
    })
    const from = { step: id, port: 'out' }
    const simple = (legacy ? parameters['simplifyOutput'] : parameters['simplify']) !== false
    return [{ from, place: { path: simple ? `steps.${id}.output.body.choices[0]` : `steps.${id}.output.body` } }]
  },
}

/** Only messages are a request that can be written down. */
export const openAi = (parameters: JsonObject): Adapter | null => {
  const resource = textAt(parameters, 'resource') ?? 'text'
  const operation = textAt(parameters, 'operation') ?? (resource === 'chat' ? 'complete' : 'message')
  const has_messages = listAt(parameters, 'messages.values').length + listAt(parameters, 'prompt.messages').length > 0
  return (resource === 'text' || resource === 'chat') && (operation === 'message' || operation === 'complete') && has_messages ? chat : null
}

export const http: { readonly [kind: string]: Adapter } = { httpRequest: request }
