import { defineModule } from '../platform/module.ts'
import { engine, nodeTypes } from './engine.ts'
import { errors } from './errors.ts'
import { eventOf } from './events.ts'
import { settings } from './settings.ts'

export default defineModule({
  name: 'engine',
  settings,
  errors,
  events: Object.values(eventOf),
  services: [nodeTypes, engine],
  migrations: new URL('./migrations/', import.meta.url),
})
