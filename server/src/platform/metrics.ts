import { collectDefaultMetrics, Registry } from 'prom-client'

export interface Metrics {
  readonly registry: Registry
}

/**
 * One registry per app. The process's own figures (memory, event loop, garbage collection) cost a timer and an observer,
 * so they are only collected where somebody can read them.
 */
export const createMetrics = ({ process_figures }: { readonly process_figures: boolean }): Metrics => {
  const registry = new Registry()
  if (process_figures) collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  return { registry }
}
