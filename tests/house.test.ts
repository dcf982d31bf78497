import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSources } from '../tools/check-house.ts'
import { checkHouse, importsOf, type Source } from '../tools/house-rules.ts'

const root = join(import.meta.dirname, '..')

test('the house is in order', () => {
  const sources = readSources()
  expect(sources.length).toBeGreaterThan(100)
  const breaches = checkHouse(sources)
  expect(breaches.map(({ path, message }) => `${path} ${message}`)).toEqual([])
})

test('the lock file holds what every platform needs', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: { [place: string]: { optionalDependencies?: { [name: string]: string } } }
  }
  // npm leaves out what it cannot find when the lock file is written, and then `npm ci` refuses the whole file.
  const missing = Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${place}/node_modules/${name}` in packages),
    ),
  )
  expect(missing).toEqual([])
})

const tree = (files: { readonly [path: string]: string }): readonly Source[] =>
  Object.entries(files).map(([path, text]) => ({ path: `server/src/${path}`, text }))
const said = (files: { readonly [path: string]: string }): readonly string[] =>
  checkHouse(tree(files)).map(({ path, message }) => `${path} ${message}`)
const manifest = (...needs: string[]): string => `export default defineModule({ needs: [${needs.map((need) => `'${need}'`).join(', ')}] })`

test('imports are read in every form they are written in', () => {
  const text = [
    `import a from './a.ts'`,
    `import type { B } from './b.ts'`,
    `import {\n  c,\n  type D,\n} from '../c.ts'`,
    `import './d.ts'`,
    `export { e } from './e.ts'`,
    `const f = await import('./f.ts')`,
    `import pino from 'pino'`,
    `// import g from './g.ts'`,
    `/**\n * import h from './h.ts'\n */`,
  ].join('\n')
  expect(importsOf({ path: 'server/src/x/y.ts', text })).toEqual(
    ['a', 'b', '../c', 'd', 'e', 'f'].map((name) => (name === '../c' ? 'server/src/c.ts' : `server/src/x/${name}.ts`)),
  )
})

test('an import from a floor above is told with the way out', () => {
  expect(said({ 'lib/a.ts': `import { x } from '../platform/x.ts'` })).toEqual([
    expect.stringContaining('Pass what is needed as an argument'),
  ])
  expect(said({ 'platform/a.ts': `import type { x } from '../engine/x.ts'` })).toEqual([
    expect.stringContaining('The platform knows no engine'),
  ])
  expect(said({ 'engine/a.ts': `import { x } from '../modules/b/b.ts'` })).toEqual([expect.stringContaining('The engine knows no module')])
  expect(said({ 'modules/b/b.ts': `import { x } from '../../app.ts'` })).toEqual([
    expect.stringContaining('take what you need from the context'),
  ])
  expect(
    said({
      'engine/a.ts': `import { x } from '../platform/x.ts'\nimport { y } from '../lib/y.ts'`,
      'app.ts': `import x from './modules/b/module.ts'`,
    }),
  ).toEqual([])
})

test('the pure rooms of the engine import lib and themselves alone', () => {
  expect(said({ 'engine/graph/plan.ts': `import { x } from '../journal/x.ts'` })).toEqual([
    expect.stringContaining('decides and does nothing'),
  ])
  expect(said({ 'engine/expression/call.ts': `import { x } from '../../platform/log.ts'` })).toEqual([
    expect.stringContaining('decides and does nothing'),
  ])
  expect(said({ 'engine/graph/plan.ts': `import { x } from './graph.ts'\nimport { y } from '../../lib/y.ts'` })).toEqual([])
})

test('a module enters another one by its front door, and only when it says that it needs it', () => {
  const modules = { 'modules/a/module.ts': manifest('b'), 'modules/b/module.ts': manifest() }
  const a = (text: string) => said({ ...modules, 'modules/a/a.ts': text })
  expect(a(`import * as b from '../b/b.ts'\nimport { B } from '../b/schema.ts'\nimport { done } from '../b/events.ts'`)).toEqual([])
  expect(a(`import { find } from '../b/store.ts'`)).toEqual([expect.stringContaining('Enter by the front door')])
  expect(a(`import * as c from '../c/c.ts'`)).toEqual([expect.stringContaining("'a' does not name 'c' in its needs")])
  expect(said({ ...modules, 'modules/b/b.ts': `import * as a from '../a/a.ts'` })).toEqual([
    expect.stringContaining("'b' does not name 'a' in its needs"),
  ])
})

test('routes, nodes and consumers leave the store to the verbs, and the store leaves everything else to them', () => {
  for (const file of ['routes', 'nodes', 'consumers']) {
    expect(said({ [`modules/a/${file}.ts`]: `import * as store from './store.ts'` })).toEqual([
      expect.stringContaining('call the verbs in a.ts'),
    ])
  }
  expect(said({ 'modules/a/a.ts': `import * as store from './store.ts'` })).toEqual([])
  expect(said({ 'modules/a/store.ts': `import { route } from '../../platform/http/route.ts'` })).toEqual([
    expect.stringContaining('A store holds SQL'),
  ])
  expect(
    said({ 'modules/a/store.ts': `import type { TxDb } from '../../platform/database/open.ts'\nimport { A } from './schema.ts'` }),
  ).toEqual([])
})

test('needs that lead in a circle, or nowhere, are told once', () => {
  expect(said({ 'modules/a/module.ts': manifest('b'), 'modules/b/module.ts': manifest('a') })).toEqual([
    expect.stringContaining('modules/a/module.ts is in a circle of needs: a → b → a'),
  ])
  expect(said({ 'modules/a/module.ts': manifest('gone') })).toEqual([expect.stringContaining("needs 'gone', and there is no such module")])
})

test('files that import each other are told once, except for types', () => {
  expect(said({ 'lib/a.ts': `import { b } from './b.ts'`, 'lib/b.ts': `import { a } from './a.ts'` })).toEqual([
    expect.stringContaining('lib/a.ts is in a circle of imports: server/src/lib/a.ts → server/src/lib/b.ts → server/src/lib/a.ts'),
  ])
  expect(said({ 'lib/a.ts': `import { b } from './b.ts'`, 'lib/b.ts': `import type { A } from './a.ts'` })).toEqual([])
})

test('a file that is too long, is named after nothing, keeps state or only passes things on is told', () => {
  expect(said({ 'lib/long.ts': 'x\n'.repeat(501) })).toEqual([expect.stringContaining('has 502 lines')])
  expect(said({ 'lib/long.ts': `// Generated.\n${'x\n'.repeat(501)}` })).toEqual([])
  expect(said({ 'lib/utils.ts': 'const x = 1' })).toEqual([expect.stringContaining('is named after nothing')])
  expect(said({ 'platform/a.ts': 'let count = 0' })).toEqual([expect.stringContaining('keeps state in `count`')])
  expect(said({ 'platform/a.ts': 'export const seen = new Map<string, number>()' })).toEqual([
    expect.stringContaining('keeps state in `seen`'),
  ])
  expect(said({ 'platform/a.ts': `const known = new Set(['a'])\nconst f = () => {\n  let count = 0\n}` })).toEqual([])
  expect(said({ 'lib/all.ts': `export { a } from './a.ts'\nexport * from './b.ts'` })).toEqual([expect.stringContaining('only passes on')])
})
