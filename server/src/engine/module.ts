import { defineModule } from '../platform/module.ts'
import { engine, nodeTypes } from './engine.ts'
import { errors } from './errors.ts'
import { eventOf, historyTrimmed, jobFailed } from './events.ts'
import { jobTypes } from './job-types.ts'
import { jobs } from './jobs.ts'
import { purgeExecutions } from './purge.ts'
import { testRoom } from './rehearsal/room.ts'
import { historyMetrics } from './retention/metrics.ts'
import { trimHistoryJob } from './retention/trim-history.ts'
import { sandbox } from './sandbox/sandbox.ts'
import { settings } from './settings.ts'
import { summariseJob } from './statistics/summarise.ts'
import { resumeTokens } from './waits/resume-tokens.ts'
import { waitSweeper } from './waits/sweeper.ts'

export default defineModule({
  name: 'engine',
  settings,
  errors,
  events: [...Object.values(eventOf), jobFailed, historyTrimmed],
  services: [nodeTypes, jobTypes, sandbox, testRoom, resumeTokens, engine, jobs, waitSweeper, historyMetrics],
  jobs: [trimHistoryJob, summariseJob],
  purge: purgeExecutions,
  migrations: new URL('./migrations/', import.meta.url),
})
