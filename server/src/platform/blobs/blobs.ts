import { join, resolve } from 'node:path'
import { defineService } from '../service.ts'
import { settings as platformSettings } from '../settings.ts'
import type { BlobStore } from './blob.ts'
import { openDisk } from './disk.ts'
import { settings } from './settings.ts'

/** Null: there is none, and what is large stays where it is. */
export const blobStore = defineService<BlobStore | null>({
  name: 'blobs',
  create: async (app) => {
    const { data_dir, database_url } = app.settings(platformSettings)
    const { directory } = app.settings(settings)
    if (directory !== null) return openDisk(resolve(directory))
    return database_url === null ? openDisk(join(resolve(data_dir), 'blobs')) : null
  },
})
