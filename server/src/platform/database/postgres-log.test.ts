import { pino } from 'pino'
import { expect, test } from 'vitest'
import { postgresLog } from './postgres-log.ts'

const levels: { readonly [level: number]: string } = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

const heard = (...lines: readonly string[]): readonly (readonly [string, string | undefined])[] => {
  const written: (readonly [string, string | undefined])[] = []
  const log = pino(
    { level: 'debug' },
    {
      write: (line) => {
        const entry = JSON.parse(line) as { level: number; postgres?: string; sqlstate?: string }
        written.push([levels[entry.level] ?? '', entry.postgres ?? entry.sqlstate])
      },
    },
  )
  const write = postgresLog(log)
  for (const line of lines) write(line)
  return written
}

test('what a customer wrote does not reach the log by way of a failed statement', () => {
  const written = heard(
    '41|client backend|23505|ERROR:  duplicate key value violates unique constraint "users_email_key"',
    '41|client backend|23505|DETAIL:  Key (email)=(ada@example.com) already exists.',
    '\tada@example.com on a line of its own',
    '41|client backend|22P02|ERROR:  invalid input syntax for type integer: "ada@example.com"',
  )
  expect(written).toEqual([
    ['debug', '23505'],
    ['debug', '22P02'],
  ])
})

test('ordinary news is debug, a crash is a warning, a panic an error', () => {
  const written = heard(
    '7|postmaster|00000|LOG:  database system is ready to accept connections',
    '7|postmaster|00000|LOG:  server process (PID 12) was terminated by signal 9: Killed',
    '7|checkpointer|53100|ERROR:  could not write to file "base/1/2": No space left on device',
    '7|checkpointer|53100|HINT:  Check free disk space.',
    '9|client backend|57P01|FATAL:  terminating connection due to administrator command',
    '9|client backend|53300|FATAL:  sorry, too many clients already',
    '7|checkpointer|XX000|PANIC:  could not write to log file',
  )
  expect(written.map(([level]) => level)).toEqual(['debug', 'warn', 'warn', 'warn', 'debug', 'warn', 'error'])
})

test('a line that is not PostgreSQL’s own is kept whole', () => {
  expect(heard('postgres: error while loading shared libraries: libicuuc.so.60')).toEqual([
    ['warn', 'postgres: error while loading shared libraries: libicuuc.so.60'],
  ])
})
