import type { App } from './context.ts'
import type { Service } from './service.ts'

// Instances have nothing in common; `use` gives each its type back by the service that made it.
// oxlint-disable-next-line typescript/no-explicit-any
type AnyService = Service<any>

/** The services of one app, from their making to their end. */
export interface Lifecycle {
  readonly use: App['use']
  /** Makes all of them, in order, and then starts them in the same order. Throws what a service throws; then `stop` is due. */
  readonly start: (app: App) => Promise<void>
  /** Tells all that were started to take on no new work, last first. */
  readonly drain: () => Promise<void>
  /** Stops what was made, last first, also when making or starting the rest failed. Later calls wait for the first. */
  readonly stop: () => Promise<void>
}

interface Made {
  readonly service: AnyService
  readonly instance: unknown
}

export const createLifecycle = (services: readonly AnyService[]): Lifecycle => {
  const made: Made[] = []
  const instances = new Map<AnyService, unknown>()
  let running: App | null = null
  let drained: Promise<void> | null = null
  let stopped: Promise<void> | null = null

  const use = <Instance>(service: Service<Instance>): Instance => {
    if (!instances.has(service))
      throw new Error(`The service '${service.name}' is not there (yet): its module must be mounted, before the one that uses it.`)
    return instances.get(service) as Instance
  }
  const start = async (app: App): Promise<void> => {
    running = app
    for (const service of services) {
      const instance: unknown = await service.create(app)
      made.push({ service, instance })
      instances.set(service, instance)
    }
    for (const { service, instance } of made) await service.start?.(instance, app)
  }
  /** One service that fails must not keep the others from ending in order. */
  const each = async (step: 'drain' | 'stop'): Promise<void> => {
    const app = running
    if (app === null) return
    for (const { service, instance } of made.toReversed()) {
      try {
        await service[step]?.(instance, app)
      } catch (error) {
        app.log.error({ err: error, service: service.name }, `${step} failed`)
      }
    }
  }
  return {
    use,
    start,
    drain: () => (drained ??= each('drain')),
    stop: () => (stopped ??= each('stop')),
  }
}
