import { Counter } from 'prom-client'
import { defineService } from '../../platform/service.ts'

/** Counts what is removed of the history. */
export interface HistoryMetrics {
  readonly trimmed: (what: { readonly executions: number; readonly weeks: number; readonly bytes: number }) => void
}

export const historyMetrics = defineService<HistoryMetrics>({
  name: 'engine.history_metrics',
  create: ({ metrics: { registry } }) => {
    const counter = (name: string, help: string) => new Counter({ name, help, registers: [registry] })
    const executions = counter('millrace_history_removed_executions_total', 'Executions removed because their retention was over.')
    const weeks = counter('millrace_history_dropped_weeks_total', 'Weeks of executions that were dropped as a whole.')
    const bytes = counter('millrace_history_dropped_bytes_total', 'Bytes of the tables that were dropped.')
    return {
      trimmed: (what) => {
        executions.inc(what.executions)
        weeks.inc(what.weeks)
        bytes.inc(what.bytes)
      },
    }
  },
})
