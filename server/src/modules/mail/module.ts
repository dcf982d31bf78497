import { defineModule } from '../../platform/module.ts'
import { errors } from './errors.ts'
import * as events from './events.ts'
import { sender } from './sender.ts'
import { settings } from './settings.ts'

export default defineModule({
  name: 'mail',
  settings,
  errors,
  events: Object.values(events),
  services: [sender],
  migrations: new URL('./migrations/', import.meta.url),
})
