/** A source file: its path from the repository, with `/`, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** The answer to a broken rule: what is wrong, and what to do instead. */
export interface Breach {
  readonly path: string
  readonly message: string
}

/** The rules of the house, over the whole tree at once. Reads text, not types: what it cannot see the reviewer must. */
export const checkHouse = (sources: readonly Source[]): readonly Breach[] => {
  const needs = readNeeds(sources)
  const product = sources.filter(({ path }) => !isTest(path))
  return [
    ...product.flatMap((source) => importsOf(source).flatMap((target) => breachOf(source.path, target, needs))),
    ...unmetNeeds(needs),
    ...cycles(product),
    ...sources.flatMap(sizeAndName),
    ...product.flatMap(stateOfModule),
    ...sources.flatMap(barrel),
  ]
}

const isTest = (path: string): boolean => /\.(test|suite|testing)\.ts$|\/testing\/|\/test-[a-z-]+\.ts$/.test(path)
const isGenerated = (text: string): boolean => text.startsWith('// Generated')

const importing = /^[ \t]*(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"](\.[^'"]+)['"]/gm
const importingLater = /\bimport\(\s*['"](\.[^'"]+)['"]\s*\)/g

/** The files that a file imports by a relative path, as paths from the repository. */
export const importsOf = ({ path, text }: Source): readonly string[] => {
  const code = withoutComments(text)
  const found = [...code.matchAll(importing), ...code.matchAll(importingLater)].map((match) => resolve(path, match[1] as string))
  return [...new Set(found)]
}

const withoutComments = (text: string): string => text.replaceAll(/^\s*\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '')

const resolve = (from: string, relative: string): string => {
  const parts = from.split('/').slice(0, -1)
  for (const step of relative.split('/')) {
    if (step === '..') parts.pop()
    else if (step !== '.') parts.push(step)
  }
  return parts.join('/')
}

type Floor = 'lib' | 'platform' | 'engine' | 'module' | 'top' | 'outside'

const source = 'server/src/'

const floorOf = (path: string): Floor => {
  if (!path.startsWith(source)) return 'outside'
  const rest = path.slice(source.length)
  if (rest.startsWith('lib/')) return 'lib'
  if (rest.startsWith('platform/')) return 'platform'
  if (rest.startsWith('engine/')) return 'engine'
  return rest.startsWith('modules/') ? 'module' : 'top'
}

const moduleOf = (path: string): string => path.split('/')[3] ?? ''
/** Path within the module's folder: `store.ts`, `hooks/receive.ts`. */
const withinModule = (path: string): string => path.split('/').slice(4).join('/')

const allowed: { readonly [floor in Floor]: readonly Floor[] } = {
  lib: ['lib'],
  platform: ['lib', 'platform'],
  engine: ['lib', 'platform', 'engine'],
  module: ['lib', 'platform', 'engine', 'module'],
  top: ['lib', 'platform', 'engine', 'module', 'top'],
  outside: ['lib', 'platform', 'engine', 'module', 'top', 'outside'],
}

const upward: { readonly [floor in Floor]: string } = {
  lib: 'Pass what is needed as an argument, or move the code up to the floor that knows it.',
  platform: 'The platform knows no engine and no module: let a module offer it in its module.ts and the app hand it over.',
  engine: 'The engine knows no module: let the module offer it (nodes, consumers, services) and read it from app.modules.',
  module: 'Only main.ts and its neighbours import those files: take what you need from the context.',
  top: '',
  outside: '',
}

const breachOf = (path: string, target: string, needs: Needs): readonly Breach[] => {
  if (target.endsWith('.json')) return []
  const from = floorOf(path)
  const to = floorOf(target)
  if (!allowed[from].includes(to)) return [{ path, message: `imports ${target}, which is on a floor above. ${upward[from]}` }]
  if (from === 'engine' && /^server\/src\/engine\/(graph|expression)\//.test(path)) return pureEngine(path, target)
  if (from === 'module' && to === 'module') return betweenModules(path, target, needs)
  if (from === 'module' && withinModule(path) === 'store.ts') return storeImports(path, target)
  return []
}

const pureEngine = (path: string, target: string): readonly Breach[] => {
  const folder = path.split('/').slice(0, 4).join('/')
  if (floorOf(target) === 'lib' || target.startsWith(`${folder}/`) || target.startsWith(`${source}engine/graph/`)) return []
  return [
    { path, message: `imports ${target}. ${folder} decides and does nothing: let its caller do the work and hand over plain values.` },
  ]
}

const storeImports = (path: string, target: string): readonly Breach[] => {
  const fine = floorOf(target) === 'lib' || target.startsWith(`${source}platform/database/`) || target === `${source}platform/errors.ts`
  return fine ? [] : [{ path, message: `imports ${target}. A store holds SQL and takes \`db\`: let the verb that calls it do the rest.` }]
}

const callers = /^(routes|nodes|consumers)(\.ts$|\/)/

const betweenModules = (path: string, target: string, needs: Needs): readonly Breach[] => {
  const own = moduleOf(path)
  const other = moduleOf(target)
  const file = withinModule(target)
  if (own === other) {
    if (!callers.test(withinModule(path)) || !/(^|\/)[a-z-]*store\.ts$/.test(file)) return []
    return [
      { path, message: `imports ${target}. Routes, nodes and consumers call the verbs in ${own}.ts, which decide what the SQL is for.` },
    ]
  }
  if (withinModule(path) === 'store.ts')
    return [
      {
        path,
        message: `imports ${target}. A store knows its own tables only: join the two in the verb, or read the other one's front door.`,
      },
    ]
  if (!needs.get(own)?.includes(other)) {
    return [
      {
        path,
        message: `imports ${target}, but '${own}' does not name '${other}' in its needs. Name it in module.ts, or react to its events instead.`,
      },
    ]
  }
  if ([`${other}.ts`, 'schema.ts', 'events.ts', 'errors.ts'].includes(file)) return []
  return [
    { path, message: `imports ${target}. Enter by the front door: export what is needed from ${other}/${other}.ts or ${other}/schema.ts.` },
  ]
}

type Needs = ReadonlyMap<string, readonly string[]>

const readNeeds = (sources: readonly Source[]): Needs =>
  new Map(
    sources.flatMap(({ path, text }) => {
      if (floorOf(path) !== 'module' || withinModule(path) !== 'module.ts') return []
      const list = /\bneeds:\s*\[([^\]]*)\]/.exec(text)?.[1] ?? ''
      return [[moduleOf(path), [...list.matchAll(/['"]([^'"]+)['"]/g)].map((match) => match[1] as string)] as const]
    }),
  )

const unmetNeeds = (needs: Needs): readonly Breach[] =>
  [...needs].flatMap(([name, list]) => {
    const path = `${source}modules/${name}/module.ts`
    const missing = list
      .filter((needed) => !needs.has(needed))
      .map((needed) => ({ path, message: `needs '${needed}', and there is no such module.` }))
    const circle = findCircle(name, (each) => needs.get(each) ?? [])
    // Told once, where the circle is entered by its first name in the alphabet.
    if (circle === null || circle.toSorted()[0] !== name) return missing
    return [
      ...missing,
      {
        path,
        message: `is in a circle of needs: ${[...circle, name].join(' → ')}. Let one of them tell by an event what the other reacts to.`,
      },
    ]
  })

/** The shortest way from a place back to itself. */
const findCircle = (start: string, next: (place: string) => readonly string[]): readonly string[] | null => {
  let ways: (readonly string[])[] = [[start]]
  const seen = new Set<string>()
  while (ways.length > 0) {
    const longer: (readonly string[])[] = []
    for (const way of ways) {
      for (const place of next(way.at(-1) as string)) {
        if (place === start) return way
        if (seen.has(place)) continue
        seen.add(place)
        longer.push([...way, place])
      }
    }
    ways = longer
  }
  return null
}

/** Circles of imports that are there when the program runs; types are gone by then. */
const cycles = (sources: readonly Source[]): readonly Breach[] => {
  const graph = new Map(sources.map((each) => [each.path, importsOf({ ...each, text: withoutTypeImports(each.text) })]))
  return [...graph.keys()].flatMap((path) => {
    const circle = findCircle(path, (each) => graph.get(each) ?? [])
    if (circle === null || circle.toSorted()[0] !== path) return []
    return [{ path, message: `is in a circle of imports: ${[...circle, path].join(' → ')}. Move what both use into a file of its own.` }]
  })
}

const withoutTypeImports = (text: string): string => text.replaceAll(/^(import|export) type\b[^'"]*['"][^'"]+['"]/gm, '')

const most_lines = 500

const sizeAndName = ({ path, text }: Source): readonly Breach[] => {
  const lines = text.split('\n').length
  const breaches: Breach[] = []
  if (lines > most_lines && !isGenerated(text))
    breaches.push({ path, message: `has ${lines} lines. Up to ${most_lines} are read with pleasure: cut it where a reader would.` })
  if (/(^|\/)(utils?|helpers?|misc|common|shared)(\.ts$|\/)/.test(path)) {
    breaches.push({
      path,
      message: 'is named after nothing. Name the file after what it holds, and put it where that is looked for first.',
    })
  }
  return breaches
}

const mutable = /^(?:export )?(?:let|var) (\w+)/gm
const collection = /^(?:export )?const (\w+)[^=\n]*= new (?:Map|Set|WeakMap|WeakSet|Array|EventEmitter|EventTarget)(?:<[^>]*>)?\(\s*\)/gm

const stateOfModule = ({ path, text }: Source): readonly Breach[] => {
  if (!path.startsWith(source)) return []
  return [...text.matchAll(mutable), ...text.matchAll(collection)].map((match) => ({
    path,
    message: `keeps state in \`${match[1]}\` at module level, where two apps in one process would share it. Make it part of a service: defineService({ create }).`,
  }))
}

const barrel = ({ path, text }: Source): readonly Breach[] => {
  const named = /(^|\/)index\.ts$/.test(path)
  const code = withoutComments(text).trim()
  const passing = code !== '' && code.split(/\n(?=\S)/).every((statement) => /^export\b[^=(]*\bfrom\b/.test(statement))
  return named || passing
    ? [{ path, message: 'only passes on what other files export. Import from those files; then the place of a thing is its name.' }]
    : []
}
