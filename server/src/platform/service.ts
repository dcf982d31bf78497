import type { App } from './context.ts'

/**
 * Anything that lives as long as the server: a pool, a cache, a loop. Declared as a value, made once per app, reached
 * with `ctx.use(service)`; so no module keeps state of its own and two apps in one process share nothing.
 *
 * Services are created and started in the order of the modules that declare them and stopped in reverse. `stop` is called
 * once, also when `start` failed half-way, and resolves when nothing of the service runs any more.
 */
export interface Service<Instance> {
  readonly name: string
  readonly create: (app: App) => Instance | Promise<Instance>
  readonly start?: (instance: Instance, app: App) => void | Promise<void>
  /** Stop taking on new work; what runs may finish. Called on SIGTERM before `stop`. */
  readonly drain?: (instance: Instance, app: App) => void | Promise<void>
  readonly stop?: (instance: Instance, app: App) => void | Promise<void>
}

export const defineService = <Instance>(service: Service<Instance>): Service<Instance> => service
