import { closest } from '../../lib/closest.ts'
import { library, namespaces } from './library.ts'
import { accept, acceptsKind, type LibraryFunction, phraseOf } from './library/function.ts'
import { macros } from './macros.ts'
import { nameOf } from './operators.ts'
import type { Compiling, Locals, Part } from './scope.ts'
import type { Syntax } from './syntax.ts'
import { type Budget, Fault, isList, kindOf, spend, type Value } from './value.ts'

const pure_clock = 'An expression gives the same result each time, so it has no clock; use `execution.started_at`'

const unknownFunction = (name: string, offset: number): Fault => {
  if (name === 'now') return new Fault('expression.unknown_name', pure_clock, offset)
  const similar = closest(name, [...library.keys(), ...Object.keys(macros)])
  return new Fault('expression.unknown_name', `There is no function "${name}"${similar ? `; did you mean "${similar}"?` : ''}`, offset)
}

const weigh = (value: Value): number => (typeof value === 'string' ? value.length >> 4 : isList(value) ? value.length : 1)

/** Evaluates the arguments and hands them over, each as its parameter takes it. */
const invoke = (name: string, fn: LibraryFunction, parts: readonly Part[], offset: number): Part => {
  if (parts.length < fn.required || parts.length > fn.parameters.length) {
    const wanted = fn.parameters.map((parameter) => `${phraseOf(parameter)}${parameter.endsWith('?') ? ' (optional)' : ''}`).join(', ')
    throw new Fault(
      'expression.argument',
      `${name}() takes ${fn.parameters.length === 0 ? 'nothing' : wanted}; it got ${parts.length} values`,
      offset,
    )
  }
  const wrong = (index: number, kind: string): Fault =>
    new Fault('expression.type', `${name}() takes ${phraseOf(fn.parameters[index] as never)} as value ${index + 1}, not ${kind}`, offset)
  parts.forEach((part, index) => {
    if (part.kind !== null && !acceptsKind(fn.parameters[index] as never, part.kind)) throw wrong(index, nameOf(part.kind))
  })
  const call = fn.run as (budget: Budget, ...args: readonly Value[]) => Value
  return {
    kind: fn.returns,
    run: (frame) => {
      const values = parts.map((part) => part.run(frame))
      frame.at = offset
      let weight = 1
      for (let index = 0; index < values.length; index += 1) {
        const value = accept(fn.parameters[index] as never, values[index] as Value)
        if (value === undefined) throw wrong(index, nameOf(kindOf(values[index] as Value)))
        values[index] = value
        weight += weigh(value)
      }
      spend(frame, fn.constant_cost ? 1 : weight)
      const result = call(frame, ...values)
      if (!fn.constant_cost) spend(frame, weigh(result))
      return result
    },
  }
}

/** `name(a, b)`. */
export const compileCall = (syntax: Syntax & { op: 'call' }, locals: Locals, compiling: Compiling): Part => {
  const [name, args] = syntax.args
  const macro = Object.hasOwn(macros, name) ? macros[name] : undefined
  if (macro?.form === 'call') return macro.expand({ syntax, receiver: null, args, locals, compiling })
  const fn = library.get(name)
  if (fn === undefined) throw unknownFunction(name, syntax.pos)
  return invoke(
    name,
    fn,
    args.map((each) => compiling.compile(each, locals)),
    syntax.pos,
  )
}

/** The name of a namespace that a call is made on: `json` in `json.encode(x)`; data of that name comes first. */
const namespaceOf = (receiver: Syntax, locals: Locals): string | null =>
  receiver.op === 'id' &&
  !locals.has(receiver.args) &&
  (namespaces.has(receiver.args) || receiver.args === 'cel' || receiver.args === 'optional')
    ? receiver.args
    : null

/** `receiver.name(a, b)`, and `namespace.name(a, b)`. */
export const compileMethod = (syntax: Syntax & { op: 'rcall' }, locals: Locals, compiling: Compiling): Part => {
  const [method, receiver, args] = syntax.args
  // The dot, where the library blames the start of the receiver.
  const offset = receiver.end
  const namespace = namespaceOf(receiver, locals)
  const name = namespace === null ? method : `${namespace}.${method}`
  const macro = Object.hasOwn(macros, name) ? macros[name] : undefined
  if (macro && macro.form === (namespace === null ? 'method' : 'call'))
    return macro.expand({ syntax, receiver: namespace === null ? receiver : null, args, locals, compiling })
  const fn = library.get(name)
  if (fn === undefined || (namespace === null && name.includes('.'))) throw unknownFunction(name, offset)
  const values = namespace === null ? [receiver, ...args] : args
  return invoke(
    name,
    fn,
    values.map((each) => compiling.compile(each, locals)),
    offset,
  )
}
