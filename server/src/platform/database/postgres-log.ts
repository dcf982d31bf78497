import type { Logger } from '../log.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'

const shape = /^(\d+)\|([^|]*)\|(\w{5})\|([A-Z]+\d?): {2}(.*)$/
const notable = /terminated by signal|reinitializing|not properly shut down|No space left on device|^could not /

/** Said to every connection whenever the server stops or starts: no news. */
const routine = new Set(['57P01', '57P02', '57P03'])

/**
 * Turns PostgreSQL's log lines (`log_line_prefix = '%p|%b|%e|'`) into ours. Ordinary ones are `debug`.
 *
 * An error of a client's statement has gone to that client, whose code decides what it means; here it leaves its SQLSTATE
 * alone, because its text and detail may quote a customer's data.
 */
export const postgresLog = (log: Logger): ((line: string) => void) => {
  let previous: { readonly pid: string; readonly level: Level; readonly silent: boolean } | null = null
  return (line) => {
    const [, pid, backend, sqlstate, severity, text] = shape.exec(line) ?? []
    if (pid === undefined || backend === undefined || severity === undefined || text === undefined) {
      if (!previous?.silent) log[previous?.level ?? 'warn']({ postgres: line.trim() }, 'postgres')
      return
    }
    const level = levelOf(severity, backend, sqlstate as string, text)
    if (level === null) {
      // DETAIL, HINT, CONTEXT …: goes with the line above it, unless another process spoke in between.
      if (previous?.pid === pid && !previous.silent) log[previous.level]({ postgres: text, postgres_pid: Number(pid) }, 'postgres')
      return
    }
    const silent = severity === 'ERROR' && backend === 'client backend'
    log[level]({ backend, sqlstate, postgres_pid: Number(pid), ...(silent ? {} : { postgres: text }) }, 'postgres')
    previous = { pid, level, silent }
  }
}

const levelOf = (severity: string, backend: string, sqlstate: string, text: string): Level | null => {
  switch (severity) {
    case 'LOG':
      return notable.test(text) ? 'warn' : 'debug'
    case 'NOTICE':
    case 'INFO':
      return 'debug'
    case 'WARNING':
      return routine.has(sqlstate) ? 'debug' : 'warn'
    case 'ERROR':
      return backend === 'client backend' ? 'debug' : 'warn'
    case 'FATAL':
      return routine.has(sqlstate) ? 'debug' : 'warn'
    case 'PANIC':
      return 'error'
    default:
      return severity.startsWith('DEBUG') ? 'debug' : null
  }
}
