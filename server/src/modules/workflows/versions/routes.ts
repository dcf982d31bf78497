import { Type } from 'typebox'
import { route } from '../../../platform/http/route.ts'
import { errors } from '../errors.ts'
import { Id } from '../schema.ts'
import { compareVersions } from './compare.ts'

const Changes = Type.Array(
  Type.Object({
    path: Type.String({ description: 'JSON Pointer.' }),
    before: Type.Optional(Type.Unknown({ description: 'Left out where there was nothing.' })),
    after: Type.Optional(Type.Unknown({ description: 'Left out where there is nothing.' })),
  }),
)
const Nodes = Type.Array(Type.Object({ id: Type.String(), type: Type.String() }))
const Edges = Type.Array(Type.Object({ from: Type.String(), port: Type.Optional(Type.String()), to: Type.String() }))

const Comparison = Type.Object(
  {
    version: Type.Integer(),
    compared_with: Type.Union([Type.Integer(), Type.Null()], { description: 'A version; null for the draft.' }),
    nodes: Type.Object({
      added: Nodes,
      removed: Nodes,
      changed: Type.Array(Type.Object({ id: Type.String(), changes: Changes }), {
        description: 'Those of loops too: `/loop` is the loop in whose body a node stands.',
      }),
    }),
    edges: Type.Object({ added: Edges, removed: Edges }),
    settings: Changes,
    pins: Changes,
    tests: Type.Object({
      added: Type.Array(Type.String()),
      removed: Type.Array(Type.String()),
      changed: Type.Array(Type.Object({ name: Type.String(), changes: Changes })),
    }),
    layout: Type.Union([Type.Object({ moved: Type.Array(Type.String()), reordered: Type.Boolean() }), Type.Null()], {
      description: 'Told only where nothing else differs: positions and the order of lists mean nothing.',
    }),
  },
  { title: 'VersionComparison' },
)

export const compareWorkflowVersions = route({
  method: 'GET',
  path: '/workflows/{id}/versions/{version}/compare',
  summary: 'What changes from a version to another one, or to the draft',
  allow: 'workflows:read',
  params: Type.Object({ id: Id, version: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }) }),
  query: Type.Object({
    with: Type.Optional(
      Type.String({ pattern: '^(draft|[1-9][0-9]{0,8})$', default: 'draft', description: '`draft`, or the number of a version.' }),
    ),
  }),
  replies: { 200: Comparison },
  errors: [errors.not_found, errors.version_not_found],
  handler: (ctx, { params: { id, version }, query }) => {
    const other = query.with ?? 'draft'
    return compareVersions(ctx, id, version, other === 'draft' ? other : Number(other))
  },
})
