import type { MigrationSource } from '../database/migrate.ts'
import type { Module } from '../module.ts'

/** The migrations of the whole product, in the order in which the server applies them. */
export const allMigrations = async (): Promise<MigrationSource[]> => {
  // By address and not by name, because the platform knows no module: only its tests run on the schema of all of them.
  const load = (file: string): Promise<unknown> => import(new URL(`../../${file}`, import.meta.url).href)
  const { composed } = (await load('app.ts')) as { composed: (modules: readonly Module[]) => readonly Module[] }
  const { modules } = (await load('modules.ts')) as { modules: readonly Module[] }
  return composed(modules).flatMap(({ name, migrations }) => (migrations === undefined ? [] : [{ name, migrations }]))
}
