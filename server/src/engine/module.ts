import { defineModule } from '../platform/module.ts'
import { engine, nodeTypes } from './engine.ts'
import { errors } from './errors.ts'
import { eventOf, jobFailed } from './events.ts'
import { jobTypes } from './job-types.ts'
import { jobs } from './jobs.ts'
import { purgeExecutions } from './purge.ts'
import { sandbox } from './sandbox/sandbox.ts'
import { settings } from './settings.ts'

export default defineModule({
  name: 'engine',
  settings,
  errors,
  events: [...Object.values(eventOf), jobFailed],
  services: [nodeTypes, jobTypes, sandbox, engine, jobs],
  purge: purgeExecutions,
  migrations: new URL('./migrations/', import.meta.url),
})
