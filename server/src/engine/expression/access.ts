import { closest } from '../../lib/closest.ts'
import { nameOf } from './operators.ts'
import type { Compiling, Evaluate, Frame, Locals, Part, Root } from './scope.ts'
import type { Syntax } from './syntax.ts'
import { Fault, forbiddenKey, isList, isMap, kindOf, Optional, spend, type Value } from './value.ts'

const asRoot = (compiling: Compiling, name: string): Root | undefined => {
  const root = name as Root
  return compiling.roots.has(root) ? root : undefined
}

const rootValue = (root: Root): Evaluate => {
  switch (root) {
    case 'trigger':
      return (frame) => frame.scope.trigger
    case 'execution':
      return (frame) => frame.scope.execution
    case 'workspace':
      return (frame) => frame.scope.workspace
    case 'vars':
      return (frame) => frame.scope.vars
    case 'item':
      return (frame) => frame.scope.item ?? null
    case 'index':
      return (frame) => frame.scope.index ?? null
    case 'error':
      return (frame) => frame.scope.error ?? null
    case 'steps':
      return (frame) => {
        const outputs = Object.entries(frame.scope.outputs())
        spend(frame, 8 * outputs.length)
        return Object.fromEntries(outputs.map(([id, output]) => [id, { output }]))
      }
  }
}

const unknownName = (name: string, compiling: Compiling, locals: Locals, offset: number): Fault => {
  if (name === 'item' || name === 'index') return new Fault('expression.unknown_name', `"${name}" exists only inside a loop`, offset)
  const known = [...compiling.roots, ...locals.keys()]
  const similar = closest(name, known)
  const help = similar ? `; did you mean "${similar}"?` : `; there are ${known.map((each) => `"${each}"`).join(', ')}`
  return new Fault('expression.unknown_name', `There is no "${name}"${help}`, offset)
}

/** A bare name: a bound one, or one of the roots. */
export const compileName = (name: string, syntax: Syntax, locals: Locals, compiling: Compiling): Part => {
  const slot = locals.get(name)
  if (slot !== undefined) return { kind: null, run: (frame) => frame.locals[slot] as Value }
  const root = asRoot(compiling, name)
  if (root === undefined) throw unknownName(name, compiling, locals, syntax.pos)
  if (root === 'steps') compiling.references.push({ step: null, offset: syntax.pos, optional: true })
  return { kind: null, run: rootValue(root) }
}

const missing = (holder: Value, key: Value, text: string, offset: number): Fault => {
  if (isList(holder)) {
    const message =
      typeof key === 'number'
        ? `${text} has ${holder.length} elements; there is none at ${key}`
        : `${text} is a list: its elements are taken by number, as in \`[0]\``
    return new Fault('expression.missing', message, offset)
  }
  if (!isMap(holder)) {
    const what = nameOf(kindOf(holder))
    const wanted = JSON.stringify(typeof key === 'string' ? key.slice(0, 100) : key)
    return new Fault('expression.missing', `${text} is ${what}, which has no field ${wanted}`, offset)
  }
  if (typeof key !== 'string')
    return new Fault('expression.missing', `The fields of ${text} are taken by name, not by ${nameOf(kindOf(key))}`, offset)
  const help = (): string => {
    const similar = closest(key, Object.keys(holder))
    return similar === undefined ? `; write \`.?${key.slice(0, 100)}.orValue(…)\` where it may be missing` : `; did you mean "${similar}"?`
  }
  return new Fault('expression.missing', `${text} has no field ${JSON.stringify(key.slice(0, 100))}`, offset, help)
}

/** The own field or element, or undefined. Nothing inherited can be reached. */
const lookUp = (holder: Value, key: Value): Value | undefined => {
  if (typeof holder !== 'object' || holder === null) return undefined
  if (isList(holder)) return typeof key === 'number' && Number.isInteger(key) && key >= 0 ? holder[key] : undefined
  if (typeof key !== 'string' || forbiddenKey(key) || !isMap(holder)) return undefined
  return Object.hasOwn(holder, key) ? holder[key] : undefined
}

const throughOptional = (holder: Optional, key: Value): Optional =>
  new Optional(holder.value === undefined ? undefined : lookUp(holder.value, key))

/** The text of a part, as an error may show it. */
const textOf = (syntax: Syntax): string => {
  const text = syntax.input.slice(syntax.start, syntax.end)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

const staticKey = (syntax: Syntax): string | null => {
  if (syntax.op === '.' || syntax.op === '.?') return syntax.args[1]
  if (syntax.op !== '[]' && syntax.op !== '[?]') return null
  const key = syntax.args[1]
  return key.op === 'value' && typeof key.args === 'string' ? key.args : null
}

const compileHolder = (syntax: Syntax, holder: Syntax, locals: Locals, compiling: Compiling): Part => {
  const is_steps = holder.op === 'id' && holder.args === 'steps' && !locals.has('steps') && compiling.roots.has('steps')
  const step = is_steps ? staticKey(syntax) : null
  if (step === null) return compiling.compile(holder, locals)
  compiling.references.push({ step, offset: syntax.pos, optional: syntax.op === '.?' || syntax.op === '[?]' })
  // Only the step that is named is looked at.
  const run = ({ scope }: Frame): Value => {
    const output = scope.output(step)
    return output === undefined ? {} : { [step]: { output } }
  }
  return { kind: 'map', run }
}

/** `steps.<id>.output`, the most frequent of all paths, without a map of steps in between. */
const stepOutput = (syntax: Syntax, locals: Locals, compiling: Compiling): Part | null => {
  if (syntax.op !== '.' || syntax.args[1] !== 'output' || locals.has('steps') || !compiling.roots.has('steps')) return null
  const holder = syntax.args[0]
  if (holder.op !== '.' && holder.op !== '[]') return null
  const step = staticKey(holder)
  if (step === null || holder.args[0].op !== 'id' || holder.args[0].args !== 'steps') return null
  compiling.references.push({ step, offset: holder.pos, optional: false })
  const offset = holder.pos
  const run = ({ scope }: Frame): Value => {
    const output = scope.output(step)
    if (output !== undefined) return output
    const help = `it has not run on this path; \`steps.?${step}.?output.orValue(…)\` allows for that`
    throw new Fault('expression.missing', `The step "${step}" has no output: ${help}`, offset)
  }
  return { kind: null, run }
}

/** `holder.key` and `holder[key]`. */
export const compileAccess = (syntax: Syntax & { op: '.' | '[]' }, locals: Locals, compiling: Compiling): Part => {
  const direct = stepOutput(syntax, locals, compiling)
  if (direct) return direct
  const holder = syntax.args[0]
  const { run } = compileHolder(syntax, holder, locals, compiling)
  const offset = syntax.op === '.' ? syntax.pos : syntax.args[1].pos
  const text = textOf(holder)
  const fixed = staticKey(syntax)
  if (fixed !== null) {
    if (forbiddenKey(fixed)) throw new Fault('expression.unknown_name', `"${fixed}" is not data`, offset)
    return {
      kind: null,
      run: (frame) => {
        const value = run(frame)
        if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, fixed) && isMap(value))
          return value[fixed] as Value
        if (value instanceof Optional) return throughOptional(value, fixed)
        throw missing(value, fixed, text, offset)
      },
    }
  }
  const key = compiling.compile(syntax.args[1] as Syntax, locals).run
  return {
    kind: null,
    run: (frame) => {
      const value = run(frame)
      const wanted = key(frame)
      if (value instanceof Optional) return throughOptional(value, wanted)
      const found = lookUp(value, wanted)
      if (found === undefined) throw missing(value, wanted, text, offset)
      return found
    },
  }
}

/** `holder.?key` and `holder[?key]`: nothing is missing, at most empty. */
export const compileOptionalAccess = (syntax: Syntax & { op: '.?' | '[?]' }, locals: Locals, compiling: Compiling): Part => {
  const { run } = compileHolder(syntax, syntax.args[0], locals, compiling)
  const fixed = staticKey(syntax)
  const key: Evaluate = fixed === null ? compiling.compile(syntax.args[1] as Syntax, locals).run : () => fixed
  return {
    kind: 'optional',
    run: (frame) => {
      const value = run(frame)
      const wanted = key(frame)
      return value instanceof Optional ? throughOptional(value, wanted) : new Optional(lookUp(value, wanted))
    },
  }
}

/** A path that may break off anywhere: undefined then. It makes no errors, so that it costs little where much is missing. */
export const compilePresence = (syntax: Syntax, locals: Locals, compiling: Compiling): ((frame: Frame) => Value | undefined) => {
  if (syntax.op !== '.') return compiling.compile(syntax, locals).run
  const [holder, key] = syntax.args
  const run = holder.op === '.' ? compilePresence(holder, locals, compiling) : compileHolder(syntax, holder, locals, compiling).run
  return (frame) => {
    const value = run(frame)
    if (value === undefined) return undefined
    return value instanceof Optional ? throughOptional(value, key).value : lookUp(value, key)
  }
}
