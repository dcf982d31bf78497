import postgres from 'postgres'
import type { DatabaseAddress } from './ceilings/serve.ts'

/** A second database in the server's own PostgreSQL, for the length of `work`: ceiling and product on the same settings and disk. */
export const withCeilingDatabase = async <T>(server: DatabaseAddress, work: (database: DatabaseAddress) => Promise<T>): Promise<T> => {
  const sql = postgres({ ...server, max: 1 })
  try {
    await sql`create database ceiling`
    const result = await work({ ...server, database: 'ceiling' })
    await sql`drop database ceiling with (force)`
    return result
  } finally {
    await sql.end()
  }
}

/**
 * Clears away what a measurement of the ceiling has written, so that the product's does not pay for it: neither the checkpoint of its
 * pages nor the vacuum of its rows.
 */
export const clearCeiling = async (ceiling: DatabaseAddress): Promise<void> => {
  const sql = postgres({ ...ceiling, max: 1 })
  try {
    await sql`truncate records`
    await sql`checkpoint`
  } finally {
    await sql.end()
  }
}
