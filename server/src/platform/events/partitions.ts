import type { App } from '../context.ts'
import { defineService } from '../service.ts'

const every_ms = 6 * 60 * 60 * 1000
const weeks_ahead = 4

interface Partitions {
  timer: NodeJS.Timeout | null
}

/**
 * Keeps a weekly partition ready for every table that is partitioned by a range of UUIDv7, before it is needed. Without one, rows go
 * to the default partition, where they are found as well; only the pruning by time is lost for that week.
 */
export const weeklyPartitions = defineService({
  name: 'database.partitions',
  create: (): Partitions => ({ timer: null }),
  start: async (partitions, app) => {
    await makePartitions(app)
    partitions.timer = setInterval(() => {
      makePartitions(app).catch((error: unknown) =>
        app.log.warn({ err: error }, 'next weeks’ partitions could not be made yet; it will be tried again'),
      )
    }, every_ms)
    partitions.timer.unref()
  },
  stop: (partitions) => {
    if (partitions.timer !== null) clearInterval(partitions.timer)
  },
})

const makePartitions = async (app: App): Promise<void> => {
  const [row] = await app.database.system<{ made: number }[]>`select millrace.make_partitions(now(), ${weeks_ahead}) as made`
  if (row !== undefined && row.made > 0) app.log.info({ made: row.made }, 'made partitions for the coming weeks')
}
