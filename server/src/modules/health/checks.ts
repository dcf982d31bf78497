import { statfs } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { HealthCheck } from '../../platform/module.ts'
import { readiness } from '../../platform/readiness.ts'
import { settings } from '../../platform/settings.ts'

const database: HealthCheck = {
  name: 'database',
  check: async (app) => {
    const [row] = await app.database.system<{ connections: number }[]>`
      select count(*)::integer as connections
      from pg_stat_activity
      where datname = current_database()`
    return { ok: true, detail: `${row?.connections} connections` }
  },
}

const server: HealthCheck = {
  name: 'server',
  check: async (app) => {
    const state = await app.use(readiness).state()
    return { ok: state === 'ready', detail: state }
  },
}

const enough_bytes = 256 * 1024 * 1024

/** PostgreSQL stops when its disk is full; this says so before. */
const disk: HealthCheck = {
  name: 'disk',
  check: async (app) => {
    const { bavail, bsize } = await statfs(resolve(app.settings(settings).data_dir))
    const free = bavail * bsize
    return { ok: free > enough_bytes, detail: `${Math.round(free / 1024 / 1024)} MiB free` }
  },
}

const memory: HealthCheck = {
  name: 'memory',
  check: () => Promise.resolve({ ok: true, detail: `${Math.round(process.memoryUsage.rss() / 1024 / 1024)} MiB resident` }),
}

export const checks: readonly HealthCheck[] = [server, database, disk, memory]
