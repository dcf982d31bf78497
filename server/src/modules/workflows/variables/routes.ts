import { Type } from 'typebox'
import { httpErrors } from '../../../platform/http/errors.ts'
import { keyset, pageOf, pageQuery } from '../../../platform/http/paging.ts'
import { reply, route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Variable, VariableChange, VariableName } from './schema.ts'
import * as variables from './variables.ts'

const params = Type.Object({ name: VariableName })
const byName = keyset(VariableName)

export const listVariables = route({
  method: 'GET',
  path: '/workflows/variables',
  summary: 'The variables of the workspace',
  allow: 'workflows:read',
  query: Type.Object(pageQuery),
  replies: { 200: pageOf(Variable) },
  handler: async (ctx, { query }) => {
    const { limit, order, total } = query
    const [rows, counted] = await Promise.all([
      variables.list(ctx, { after: byName.after(query), limit: limit + 1, descending: order === 'desc' }),
      total === true ? variables.count(ctx) : undefined,
    ])
    return byName.page(rows, limit, ({ name }) => name, counted)
  },
})

export const getVariable = route({
  method: 'GET',
  path: '/workflows/variables/{name}',
  summary: 'A variable of the workspace',
  allow: 'workflows:read',
  etag: true,
  params,
  replies: { 200: Variable },
  errors: [errors.variable_not_found],
  handler: (ctx, { params: { name } }) => variables.get(ctx, name),
})

export const putVariable = route({
  method: 'PUT',
  path: '/workflows/variables/{name}',
  summary: 'Set a variable of the workspace',
  description: 'Expressions name it as `vars.<name>`. Executions that have begun go on with what it was.',
  allow: 'workflows:write',
  etag: true,
  params,
  body: VariableChange,
  replies: { 200: Variable, 201: Variable },
  errors: [errors.too_many_variables, errors.variable_exists, httpErrors.precondition_failed, httpErrors.validation_failed],
  handler: async (ctx, { params: { name }, body, request }) => {
    const { is_new, variable } = await variables.put(ctx, name, body, request.if_match)
    return reply({ status: is_new ? 201 : 200, body: variable })
  },
})

export const deleteVariable = route({
  method: 'DELETE',
  path: '/workflows/variables/{name}',
  summary: 'Remove a variable',
  description: 'A published workflow that names it fails there from its next start on.',
  allow: 'workflows:write',
  params,
  replies: { 204: Type.Null() },
  errors: [errors.variable_not_found, httpErrors.precondition_failed],
  handler: async (ctx, { params: { name }, request }) => {
    await variables.remove(ctx, name, request.if_match)
    return null
  },
})
