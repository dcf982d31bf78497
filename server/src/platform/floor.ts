import { blobStore } from './blobs/blobs.ts'
import { errors as blobErrors } from './blobs/errors.ts'
import { settings as blobSettings } from './blobs/settings.ts'
import { errors as databaseErrors } from './database/errors.ts'
import { weeklyPartitions } from './events/partitions.ts'
import { purgeEvents } from './events/purge.ts'
import { eventRunner, eventStart } from './events/runner.ts'
import { httpErrors, internalErrors } from './http/errors.ts'
import { httpService } from './http/http-service.ts'
import { httpSettings } from './http/settings.ts'
import { defineModule, type Module } from './module.ts'
import { errors as outboundErrors } from './outbound/errors.ts'
import { outbound } from './outbound/outbound.ts'
import { settings as outboundSettings } from './outbound/settings.ts'
import { readiness } from './readiness.ts'
import { secrets } from './secrets.ts'
import { settings } from './settings.ts'
import { counterCheck, counters } from './counters/counters.ts'
import { settings as counterSettings } from './counters/settings.ts'

/** What the platform declares, in the form in which modules declare theirs: below all of them. */
export const platformBelow: readonly Module[] = [
  defineModule({
    name: 'platform',
    settings,
    errors: databaseErrors,
    services: [eventStart, secrets, weeklyPartitions],
    migrations: new URL('./migrations/', import.meta.url),
  }),
  defineModule({
    name: 'counters',
    settings: counterSettings,
    services: [counters],
    checks: [counterCheck],
    migrations: new URL('./counters/migrations/', import.meta.url),
  }),
  defineModule({ name: 'blobs', settings: blobSettings, errors: blobErrors, services: [blobStore] }),
  defineModule({ name: 'outbound', settings: outboundSettings, errors: outboundErrors, services: [outbound] }),
]

/**
 * And above all of them: what opens the doors. Services start in order and drain in reverse, so the server is ready once
 * everything serves, and when it stops the readiness goes first, then HTTP, then the consumers of events, then what works in
 * the background.
 */
export const platformAbove: readonly Module[] = [
  defineModule({ name: 'events', services: [eventRunner], purge: purgeEvents }),
  defineModule({ name: 'http', settings: httpSettings, errors: [httpErrors, internalErrors], services: [httpService, readiness] }),
]
