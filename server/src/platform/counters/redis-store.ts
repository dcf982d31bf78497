import { setTimeout as delay } from 'node:timers/promises'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { SharedStore } from './counter.ts'
import { counterOver, digestOf, no_limit } from './limiter.ts'

const prefix = 'millrace'

/**
 * Counters in Redis or Valkey. A command that cannot go out at once, or is not answered in a quarter of a second, fails: the caller is a
 * request that waits. None is sent a second time, because it may have counted.
 */
export const redisStore = async (url: string): Promise<SharedStore> => {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, {
    connectionName: prefix,
    connectTimeout: 2_000,
    commandTimeout: 250,
    socketTimeout: 2_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries) => Math.min(50 * 2 ** tries, 1_000),
  })
  // What is wrong shows at the next command, and is told there.
  redis.on('error', () => undefined)
  return {
    name: 'redis',
    counter: (name, window_s) => {
      const options = { storeClient: redis, rejectIfRedisNotReady: true, keyPrefix: `${prefix}:${name}` }
      return counterOver(new RateLimiterRedis({ ...options, points: no_limit, duration: window_s }), window_s, digestOf)
    },
    open: async () => {
      const waited = new AbortController()
      const ready = new Promise<void>((resolve) => {
        if (redis.status === 'ready') resolve()
        else redis.once('ready', resolve)
      })
      await Promise.race([ready, delay(1_000, undefined, { signal: waited.signal }).catch(() => undefined)])
      waited.abort()
    },
    close: () => {
      redis.disconnect()
      return Promise.resolve()
    },
  }
}
