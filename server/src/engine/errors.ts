import { defineErrors } from '../platform/errors.ts'

export const errors = defineErrors('engine', {
  unknown_version: { status: 404, title: 'This version of the workflow has not been published' },
  draining: { status: 503, title: 'This server is stopping and starts no more executions' },
  lease_lost: { status: 503, title: 'This server lost its lease before the execution was journalled' },
  journal_failed: { status: 503, title: 'The execution could not be journalled' },
  started_already: { status: 409, title: 'An execution was started under this key before' },
  version_exists: { status: 409, title: 'This version has been deployed before; versions never change' },
  tests_busy: { status: 503, title: 'This server runs as many tests as it can at a time' },
  unknown_trigger: { status: 422, title: 'The version has no such trigger' },
})
