import type { Module } from './module.ts'
import { isRaw, type Route } from './http/route.ts'
import { permissionsOf, type Roles } from './permissions.ts'

/**
 * Checks that modules fit together before anything of them runs: each thing is declared once, and each module stands after those
 * it needs. Throws one error that lists every mistake; they are mistakes of the code, not of the configuration.
 */
export const checkModules = (modules: readonly Module[], roles: Roles): void => {
  const problems = [
    ...misplaced(modules),
    ...twice('module', modules, (module) => [module.name]),
    ...twice('setting', modules, (module) => Object.values(module.settings?.declarations ?? {}).map(({ env }) => env)),
    ...twice('error', modules, (module) => [module.errors ?? []].flat().flatMap((errors) => Object.values(errors).map(({ code }) => code))),
    ...twice('permission', modules, (module) => Object.keys(module.permissions ?? {})),
    ...twice('event', modules, (module) => (module.events ?? []).map(({ name }) => name)),
    ...twice('service', modules, (module) => (module.services ?? []).map(({ name }) => name)),
    ...twice('consumer', modules, (module) => (module.consumers ?? []).map(({ name }) => name)),
    ...twice('route', modules, (module) => (module.routes ?? []).flatMap(addresses)),
    ...twice('health check', modules, (module) => (module.checks ?? []).map(({ name }) => name)),
    ...unknownPermissions(modules),
    ...idlePermissions(modules, roles),
    ...authenticators(modules),
    ...twice('set of quotas', modules, (module) => (module.quotas ? ['requests'] : [])),
    ...twice('answer', modules, (module) => (module.owners ? ['who owns a workspace'] : [])),
    ...twice('answer', modules, (module) => (module.credentials ? ['which credential has an id'] : [])),
    ...twice('answer', modules, (module) => (module.variables ? ['which variables a workspace has'] : [])),
    ...twice('gauge', modules, (module) => Object.keys(module.gauges ?? {})),
  ]
  if (problems.length > 0) throw new Error(`The modules do not fit together:${problems.map((problem) => `\n  - ${problem}`).join('')}`)
}

/** Two routes that differ only in the names of their parameters answer the same requests. */
const addresses = (route: Route): readonly string[] => {
  const path = route.path.replaceAll(/\{[^}]*\}/g, '{}')
  if (isRaw(route)) return route.methods.map((method) => `${method} ${path}`)
  return [`${route.method} ${route.root ? '' : '/api/v1'}${path}`]
}

const misplaced = (modules: readonly Module[]): readonly string[] =>
  modules.flatMap(({ name, needs = [] }, index) =>
    needs.flatMap((needed) => {
      const at = modules.findIndex((module) => module.name === needed)
      if (at < 0) return [`The module '${name}' needs '${needed}', which is not in the list of modules.`]
      if (at < index) return []
      return [
        `The module '${name}' needs '${needed}', which comes after it. Move '${needed}' up; where both need each other, let one of them speak in events.`,
      ]
    }),
  )

const twice = (kind: string, modules: readonly Module[], names: (module: Module) => readonly string[]): readonly string[] => {
  const owner = new Map<string, string>()
  return modules.flatMap((module) =>
    names(module).flatMap((name) => {
      const first = owner.get(name)
      owner.set(name, module.name)
      return first === undefined ? [] : [`The ${kind} '${name}' is declared by '${first}' and again by '${module.name}'.`]
    }),
  )
}

const unknownPermissions = (modules: readonly Module[]): readonly string[] => {
  const known = new Set(modules.flatMap(({ permissions }) => Object.keys(permissions ?? {})))
  return modules.flatMap(({ name, routes = [] }) =>
    routes.flatMap((route) =>
      isRaw(route) || route.allow === 'public' || known.has(route.allow)
        ? []
        : [`${route.method} ${route.path} of '${name}' asks for the permission '${route.allow}', which no module declares.`],
    ),
  )
}

const idlePermissions = (modules: readonly Module[], roles: Roles): readonly string[] =>
  [...permissionsOf(modules, roles).values()].flatMap(({ name, system_roles, workspace_roles }) =>
    system_roles.size + workspace_roles.size > 0 ? [] : [`No role has the permission '${name}': give it to one in roles.ts.`],
  )

const authenticators = (modules: readonly Module[]): readonly string[] => {
  const offering = modules.filter((module) => module.authenticate)
  return offering.length < 2
    ? []
    : [`${offering.map(({ name }) => `'${name}'`).join(' and ')} both turn credentials into an actor; one alone may.`]
}
