import { Type } from 'typebox'
import { defineEvent } from '../../../platform/events/event.ts'

const About = Type.Object({ template_id: Type.String(), title: Type.String() })

export const templateCreated = defineEvent({
  name: 'workflows.template.created',
  doc: 'A workflow was saved as a template.',
  data: Type.Object({ ...About.properties, workflow_id: Type.String({ format: 'uuid' }) }),
})
export const templateUpdated = defineEvent({
  name: 'workflows.template.updated',
  doc: 'A template of a workspace was changed. Says which fields.',
  data: Type.Object({ ...About.properties, fields: Type.Array(Type.String()) }),
})
export const templateUsed = defineEvent({
  name: 'workflows.template.used',
  doc: 'A workflow was made from a template.',
  data: Type.Object({ ...About.properties, workflow_id: Type.String({ format: 'uuid' }) }),
})
export const templateDeleted = defineEvent({
  name: 'workflows.template.deleted',
  doc: 'A template of a workspace was removed. What was made from it stays.',
  data: About,
})
