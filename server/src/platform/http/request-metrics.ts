import { Gauge, Histogram } from 'prom-client'
import type { Metrics } from '../metrics.ts'
import type { Observed } from './exchange.ts'
import type { Load } from './load.ts'

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Makes what a route is observed by. The handles of its label sets are made once, because finding them costs more than counting. */
export const requestMetrics = (metrics: Metrics, load: Load): ((route: string, quiet: boolean) => Observed) => {
  const durations = new Histogram({
    name: 'millrace_http_request_duration_seconds',
    help: 'Time from the first byte of a request understood to its reply handed to the socket.',
    labelNames: ['method', 'route', 'status'],
    buckets,
    registers: [metrics.registry],
  })
  new Gauge({
    name: 'millrace_http_requests_in_flight',
    help: 'Requests being worked on.',
    registers: [metrics.registry],
    collect() {
      this.set(load.in_flight())
    },
  })
  new Gauge({
    name: 'millrace_event_loop_delay_seconds',
    help: 'Mean delay of the event loop in the last half second.',
    registers: [metrics.registry],
    collect() {
      this.set(load.delay_ms() / 1_000)
    },
  })
  return (route, quiet) => {
    const handles = new Map<string, { observe: (seconds: number) => void }>()
    return {
      route,
      quiet,
      observe: (method, status, seconds) => {
        const name = `${method} ${status}`
        let handle = handles.get(name)
        if (handle === undefined) {
          handle = durations.labels(method, route, String(status))
          handles.set(name, handle)
        }
        handle.observe(seconds)
      },
    }
  }
}
