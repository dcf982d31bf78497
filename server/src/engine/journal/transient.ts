/**
 * Whether sending the same statement again may help: the database could not be reached, went away or is starting, or broke a
 * deadlock at our cost. SQLSTATE: 08 connection, 57P01–57P03 shutting down, crashed, starting, 53300 too many connections,
 * 40001 serialization, 40P01 deadlock; `database.unavailable` is what the read path says after its own patience. The rest are the
 * driver's and the operating system's names.
 */
export const isTransient = (error: unknown): boolean => {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  return (
    code === 'database.unavailable' ||
    /^(08|57P0[123]|53300|40001|40P01)/.test(code) ||
    /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|ENOENT|EPIPE|ETIMEDOUT|EAI_|EHOSTUNREACH|ENETUNREACH)/.test(code)
  )
}
