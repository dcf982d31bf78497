import { defineSettings } from '../config.ts'

export const settings = defineSettings({
  directory: {
    env: 'MILLRACE_BLOB_DIRECTORY',
    type: 'text',
    default: null,
    doc: 'Directory for large data: records of executions over 256 KB. `blobs` in the data directory when not set; with a `DATABASE_URL` there is none then, and they stay in the database, because several servers could not read each other’s disk. Set it there only to a directory that all of them share. No two databases may share one: each removes what it does not know.',
  },
})
