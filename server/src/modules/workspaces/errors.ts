import { defineErrors } from '../../platform/errors.ts'

export const errors = defineErrors('workspaces', {
  not_found: {
    status: 404,
    title: 'There is no such workspace',
    doc: 'The same for a workspace that does not exist and one the caller does not belong to.',
  },
})
