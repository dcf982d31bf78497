/** How PostgreSQL talks. A program reads it (see postgres-log.ts and supervise.ts), so nothing overrides these. */
const messages: { readonly [name: string]: string } = {
  log_line_prefix: '%p|%b|%e|',
  log_destination: 'stderr',
  log_min_messages: 'warning',
  lc_messages: 'C',
}

/**
 * How the embedded PostgreSQL is set up. Handed over on its command line, so they are always those of the running version
 * of the server, and nothing in the data directory has to be edited when they change. What is not named keeps
 * PostgreSQL's default; above all `synchronous_commit = on`: a reply that says "saved" means "on disk".
 */
const embeddedSettings: { readonly [name: string]: string } = {
  // Reached through the socket alone; 0700 on top of the directory's mode, which on an existing directory is the owner's affair.
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '100',
  // A tenth of what the smallest sensible machine has; the rest is better used by the operating system's cache.
  shared_buffers: '128MB',
  // A burst of writes must not force a checkpoint (and full page images after it) every few seconds. Recovery stays below a minute.
  max_wal_size: '2GB',
  // Page images after a checkpoint are most of the log; compressing them costs less than writing them.
  wal_compression: 'on',
  // Compiling a query takes longer than any of ours runs.
  jit: 'off',
  // Short queries of many callers share few cores; a parallel one would take them all, and /dev/shm, which containers keep small.
  max_parallel_workers_per_gather: '0',
  // Three idle processes fewer; the working set is in memory, where asynchronous reading has nothing to win.
  io_method: 'sync',
  // One idle process fewer; nothing subscribes to another server.
  max_logical_replication_workers: '0',
  // Disks are solid state: an index scan's random read costs hardly more than a sequential one.
  random_page_cost: '1.1',
  // No transaction of ours waits for anybody: one that idles this long belongs to a caller that hangs, and holds its locks.
  idle_in_transaction_session_timeout: '60s',
  // The query of a server that was killed stops within this time instead of running to its end for nobody.
  client_connection_check_interval: '5s',
  // The wire speaks UTC; the machine's zone must not leak into a cast or a log line.
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Statements and their parameters hold customers' data: they stay out of the log.
  log_min_error_statement: 'panic',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
}

/** The arguments for `postgres`. `overrides` win over ours. */
export const settingArguments = (fsync: boolean, overrides: { readonly [name: string]: string } = {}): readonly string[] => {
  // Full page images guard against pages torn by a crash of the machine, which fsync = off does not survive anyway.
  const durability = fsync ? {} : { fsync: 'off', full_page_writes: 'off' }
  // The messages stand first, so that also a complaint about one of the others is understood, and again last, to win.
  const settings = { ...messages, ...embeddedSettings, ...durability, ...overrides, ...messages }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
