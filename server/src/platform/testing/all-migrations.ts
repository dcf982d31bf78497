import { existsSync } from 'node:fs'
import type { MigrationSource } from '../database/migrate.ts'
import type { Module } from '../module.ts'

/** The migrations of the whole product, in the order in which the server applies them. */
export const allMigrations = async (): Promise<MigrationSource[]> => {
  const engine = new URL('../../engine/migrations/', import.meta.url)
  const list = new URL('../../modules.ts', import.meta.url)
  const { modules } = existsSync(list) ? ((await import(list.href)) as { modules: readonly Module[] }) : { modules: [] }
  const ofModules = modules.flatMap(({ name, migrations }) => (migrations === undefined ? [] : [{ name, migrations }]))
  return existsSync(engine) ? [{ name: 'engine', migrations: engine }, ...ofModules] : ofModules
}
