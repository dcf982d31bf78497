import { Type } from 'typebox'
import { defineEvent } from '../../platform/events/event.ts'
import { Format, filters } from './schema.ts'

export const exported = defineEvent({
  name: 'audit.exported',
  doc: 'Somebody exported entries of the audit: those of the workspace, or of the installation.',
  data: Type.Object({
    format: Format,
    of: Type.Union([Type.Literal('workspace'), Type.Literal('installation')]),
    filter: Type.Object({ ...filters, workspace_id: Type.Optional(Type.String()) }),
  }),
})
