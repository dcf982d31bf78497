import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkHouse, type Source } from './house-rules.ts'

const root = join(import.meta.dirname, '..')

/** Every source file of the repository. */
export const readSources = (): readonly Source[] =>
  globSync(['server/src/**/*.ts', 'tools/*.ts', 'tests/**/*.ts', 'bench/**/*.ts'], { cwd: root }).map((path) => ({
    path: path.replaceAll('\\', '/'),
    text: readFileSync(join(root, path), 'utf8'),
  }))

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const breaches = checkHouse(readSources())
  for (const { path, message } of breaches) process.stderr.write(`${path} ${message}\n`)
  if (breaches.length > 0) process.exitCode = 1
}
