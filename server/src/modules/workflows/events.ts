import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'

const about = { workflow_id: Type.String({ format: 'uuid' }), name: Type.String(), revision: Type.Integer() }
const About = Type.Object(about)

export const created = defineEvent({ name: 'workflows.created', doc: 'A workflow was made; it is a draft.', data: About })
export const updated = defineEvent({
  name: 'workflows.updated',
  doc: 'The draft, the name, the description or the tags of a workflow changed. Says which, not to what.',
  data: Type.Object({ ...about, fields: Type.Array(Type.String()) }),
})
export const published = defineEvent({
  name: 'workflows.published',
  doc: 'A version of a workflow was published; the workflow is active.',
  data: Type.Object({ ...about, version: Type.Integer() }),
})
export const paused = defineEvent({
  name: 'workflows.paused',
  doc: 'A workflow starts no more executions until it is resumed.',
  data: About,
})
export const resumed = defineEvent({ name: 'workflows.resumed', doc: 'A paused workflow is active again.', data: About })
export const archived = defineEvent({
  name: 'workflows.archived',
  doc: 'A workflow was put away; its webhook paths are free.',
  data: About,
})
export const deleted = defineEvent({
  name: 'workflows.deleted',
  doc: 'A workflow and its versions were removed; its executions stay until their retention is over.',
  data: About,
})
