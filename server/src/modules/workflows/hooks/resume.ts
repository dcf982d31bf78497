import { Type } from 'typebox'
import { engine } from '../../../engine/engine.ts'
import { resumeTokens } from '../../../engine/waits/resume-tokens.ts'
import { httpErrors } from '../../../platform/http/errors.ts'
import { rawRoute } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { payloadOf } from './payload.ts'

const node_form = /^[A-Za-z][\w-]{0,63}$/

export const resumeExecution = rawRoute({
  methods: ['POST'],
  path: '/resume/{token}',
  summary: 'Let a waiting execution go on',
  description:
    'The address is `execution.resume_url` in expressions. It goes on at the `flow.wait` that has waited for longest, or at `?node=<id>`, with this call as ' +
    'that step’s output: `{ method, path, headers, query, body, raw_id }`. Each wait takes one call.',
  replies: {
    200: {
      description: 'It goes on, whatever happens to this server.',
      content_type: 'application/json',
      schema: Type.Object({ execution_id: Type.String({ format: 'uuid' }), node_id: Type.String() }),
    },
  },
  errors: [errors.not_waiting, httpErrors.not_found, httpErrors.malformed_json, httpErrors.unsupported_media_type],
  handle: async (app, request, reply) => {
    const execution_id = app.use(resumeTokens).read(request.params['token'] ?? '')
    if (execution_id === null) throw httpErrors.not_found()
    const output = payloadOf(request, '', null, app.newId())
    const node = new URLSearchParams(request.query).get('node')
    const node_id = node !== null && node_form.test(node) ? node : null
    const settled = node !== null && node_id === null ? null : await app.use(engine).resume({ execution_id, node_id, output })
    if (settled === null) throw errors.not_waiting()
    reply.send(200, { 'content-type': 'application/json; charset=utf-8' }, JSON.stringify({ execution_id, node_id: settled.node_id }))
  },
})
