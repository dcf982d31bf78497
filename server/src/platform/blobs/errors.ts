import { defineErrors } from '../errors.ts'

export const errors = defineErrors('blobs', {
  missing: {
    status: 503,
    title: 'The file that holds these data is not there',
    doc: 'It was removed, or the blob directory is not the one it was.',
  },
  damaged: { status: 500, title: 'The file that holds these data is damaged' },
  unavailable: { status: 503, title: 'The blob directory cannot be read', doc: 'None is set, or the file system refuses.' },
})
