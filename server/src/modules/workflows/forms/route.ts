import type { Finished, Running } from '../../../engine/engine.ts'
import { parseJsonText } from '../../../lib/json-text.ts'
import { isJsonObject, type Json } from '../../../lib/json.ts'
import type { App } from '../../../platform/context.ts'
import { Problem } from '../../../platform/errors.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { type RawReply, type RawRequest, rawRoute } from '../../../platform/http/route.ts'
import { errors as planErrors } from '../../plans/errors.ts'
import { errors } from '../errors.ts'
import { refused } from '../hooks/route.ts'
import { hookTable } from '../hooks/table.ts'
import { fromJson, fromTyped } from './fields.ts'
import { firstTyped, formPage, pageHeaders, plainPage, type ShownForm, thanksPage, token_field, trap_field } from './page.ts'
import { countSubmission, endInTime, type OpenForm, submit } from './submit.ts'
import { formTokens } from './tokens.ts'

const json = 'application/json; charset=utf-8'
const thanks = 'Thank you. It has arrived.'

export const openForm = rawRoute({
  methods: ['GET', 'HEAD', 'POST'],
  path: '/forms/{workspace}/*',
  idempotent: true,
  summary: 'A form that starts a workflow',
  description:
    'GET shows the page of a `trigger.form`. POST of that page (`application/x-www-form-urlencoded`) answers with a page: what is wrong (422), with ' +
    'everything that was typed kept, or thanks. The page has a number of its own, so that what is sent twice starts one execution.\n\n' +
    'POST of a JSON object with the fields by name starts the workflow as well, and is answered with JSON: 202 `{ execution_id }`, or with ' +
    '`respond: last_node` 200 and the last output. It may have an `Idempotency-Key`.',
  replies: {
    200: { description: 'The page with the form; or thanks, after it was sent.', content_type: 'text/html' },
    202: { description: '`{ execution_id }`, to JSON.', content_type: 'application/json' },
  },
  errors: [
    errors.form_not_found,
    errors.form_from_elsewhere,
    errors.hook_loop,
    errors.execution_failed,
    planErrors.limit_reached,
    httpErrors.malformed_json,
    httpErrors.unsupported_media_type,
    httpErrors.validation_failed,
    httpErrors.rate_limited,
    httpErrors.overloaded,
  ],
  handle: async (app, request, reply) => {
    const { workspace = '', '*': path = '' } = request.params
    const hook = app.use(hookTable).formAt(`${workspace}/${path}`)
    const open = hook?.form ? { hook, form: hook.form } : null
    const type = request.method === 'POST' ? typeOf(request) : 'page'
    if (open === null && !isPerson(request)) throw errors.form_not_found()
    if (type === 'json' && open !== null) {
      return takeJson(app, open, request, reply).catch((error: unknown) => reply.fail(refused(error)))
    }
    if (open === null)
      return reply.send(404, pageHeaders, plainPage('There is no such form', 'It may have been closed, or its address has changed.'))
    if (type === 'other') throw unsupported()
    const shown = { form: open.form, token: app.use(formTokens).give(addressOf(open), app.now()), typed: firstTyped(open.form.fields) }
    if (request.method !== 'POST') return reply.send(200, pageHeaders, formPage(shown))
    await takePage(app, open, request, reply)
  },
})

/** Whatever the workspace is called by now. */
const addressOf = ({ hook, form }: OpenForm): string => `${hook.workspace_id}/${form.path}`

/** Browsers ask for pages, programs do not. */
const isPerson = ({ headers }: RawRequest): boolean => String(headers['accept'] ?? '').includes('text/html')

const typeOf = ({ headers }: RawRequest): 'page' | 'json' | 'other' => {
  const type = String(headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')[0]
    ?.trim()
  return type === 'application/x-www-form-urlencoded' ? 'page' : type === 'application/json' ? 'json' : 'other'
}

const unsupported = (): Problem =>
  httpErrors.unsupported_media_type({
    detail: 'A form takes application/x-www-form-urlencoded, as its page sends it, or a JSON object. It takes no files.',
    headers: { accept: 'application/json, application/x-www-form-urlencoded' },
  })

const messageOf = ({ form }: OpenForm, finished: Finished | null): string => {
  const output = finished?.output
  const said = isJsonObject(output) ? output['message'] : output
  return typeof said === 'string' && said !== '' ? said : (form.success_message ?? thanks)
}

/** What a page says of an error; the same words as the API has. */
const noteOf = (error: unknown): { readonly status: number; readonly note: string; readonly headers: Readonly<Record<string, string>> } => {
  if (!(error instanceof Problem)) throw error
  const { status, title } = error.declaration
  const { detail = '', headers = {} } = error.details
  return {
    status,
    note: `It was not sent. ${[title, detail]
      .filter((text) => text !== '')
      .map((text) => text.replace(/\.?$/, '.'))
      .join(' ')}`,
    headers,
  }
}

/** Browsers say where a form was sent from; those that do not have nothing of ours that another site could use. */
const isFromElsewhere = ({ headers }: RawRequest): boolean => {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none'
}

/** More than the fields of the largest form and our own. */
const most_parts = 100

/** What was typed, by name; of a name that comes several times the first. What a body of a million names holds besides is not looked at. */
const typedIn = (body: Buffer): ReadonlyMap<string, string> =>
  new Map([...new URLSearchParams(body.toString('utf8').split('&', most_parts).join('&'))].toReversed())

const takePage = async (app: App, open: OpenForm, request: RawRequest, reply: RawReply): Promise<void> => {
  const typed = typedIn(request.body)
  const tokens = app.use(formTokens)
  const address = addressOf(open)
  const given = typed.get(token_field) ?? ''
  const number = tokens.read(given, address, app.now())
  const again = (status: number, rest: Pick<ShownForm, 'note' | 'errors'>, headers: Readonly<Record<string, string>> = {}): void => {
    const token = number === null ? tokens.give(address, app.now()) : given
    reply.send(status, { ...pageHeaders, ...headers }, formPage({ form: open.form, token, typed, ...rest }))
  }
  try {
    if (isFromElsewhere(request)) throw errors.form_from_elsewhere({ detail: 'Look at what it says, and send it from here.' })
    await countSubmission(app, open, request)
    if (typed.get(trap_field)) return reply.send(200, pageHeaders, thanksPage(open.form, open.form.success_message ?? thanks))
    if (number === null) return again(422, { note: 'This page was open for too long. Send it once more.' })
    const { values, errors: wrong } = fromTyped(open.form.fields, typed)
    if (wrong.length > 0) return again(422, { errors: wrong })
    const running = await submit(app, open, { values, key: number, request })
    await thank(app, open, running, reply)
  } catch (error) {
    const { status, note, headers } = noteOf(refused(error))
    again(status, { note }, headers)
  }
}

const thank = async (app: App, open: OpenForm, running: Running, reply: RawReply): Promise<void> => {
  const finished = open.hook.respond === 'last_node' ? await endInTime(app, running) : null
  const headers = { ...pageHeaders, 'x-millrace-execution-id': running.execution_id }
  if (finished === null || finished.status === 'succeeded')
    return reply.send(200, headers, thanksPage(open.form, messageOf(open, finished)))
  const text = `It has arrived, but what it started did not come to its end. If you ask somebody about it, name ${running.execution_id}.`
  reply.send(500, headers, plainPage(open.form.title, text))
}

const objectOf = (request: RawRequest): { readonly [name: string]: Json } => {
  try {
    const body = parseJsonText(request.body.toString('utf8'), 8)
    if (isJsonObject(body)) return body
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw httpErrors.malformed_json({ detail: `The body cannot be taken as JSON: ${error.message}.` })
  }
  throw httpErrors.validation_failed({ errors: [{ path: '', message: 'must be an object with the fields by name' }] })
}

const takeJson = async (app: App, open: OpenForm, request: RawRequest, reply: RawReply): Promise<void> => {
  await countSubmission(app, open, request)
  const { values, errors: wrong } = fromJson(open.form.fields, objectOf(request))
  if (wrong.length > 0)
    throw httpErrors.validation_failed({ errors: wrong.map(({ name, message }) => ({ path: name.slice(0, 64), message })) })
  const key = request.idempotency_key
  const running = await submit(app, open, { values, key: key === null ? null : `key ${key}`, request })
  const { execution_id } = running
  const finished = open.hook.respond === 'last_node' ? await endInTime(app, running) : null
  const headers = { 'content-type': json, 'x-millrace-execution-id': execution_id }
  if (finished === null) return reply.send(202, headers, JSON.stringify({ execution_id }))
  if (finished.status === 'succeeded') return reply.send(200, headers, JSON.stringify(finished.output))
  throw errors.execution_failed({
    final: true,
    detail: `The execution ended as ${finished.status}.`,
    extra: { execution_id, execution_status: finished.status },
    headers: { 'x-millrace-execution-id': execution_id },
  })
}
