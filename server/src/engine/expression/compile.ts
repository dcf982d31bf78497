import { compileAccess, compileName, compileOptionalAccess } from './access.ts'
import { compileCall, compileMethod } from './call.ts'
import { type Arithmetic, calculate, type Comparison, compare, contains, equal, nameOf } from './operators.ts'
import type { Compiling, Evaluate, Locals, Part, Reference, Root } from './scope.ts'
import type { Syntax } from './syntax.ts'
import { Duration, Fault, fault_cost, forbiddenKey, Instant, type Kind, spend, type Value } from './value.ts'

const literal = (syntax: Syntax & { op: 'value' }): Part => {
  const value = syntax.args
  if (value === null) return { kind: 'null', run: () => null }
  const whole = value.valueOf()
  if (typeof whole === 'bigint') {
    const number = Number(whole)
    if (!Number.isSafeInteger(number))
      throw new Fault('expression.number', `${whole} passes 2^53, beyond which JSON numbers are not exact`, syntax.pos)
    return { kind: 'number', run: () => number }
  }
  if (typeof value === 'object')
    throw new Fault('expression.type', 'Bytes are not supported: JSON has none; see `base64.decode`', syntax.pos)
  const scalar = value as string | number | boolean
  return { kind: typeof scalar === 'string' ? 'string' : typeof scalar === 'number' ? 'number' : 'bool', run: () => scalar }
}

type BinarySyntax<Op extends string> = Syntax & { op: Op; args: [Syntax, Syntax] }

/** A value of a kind, to ask an operator whether it takes such values at all. */
const samples: { readonly [kind in Kind]?: Value } = {
  null: null,
  bool: true,
  number: 1,
  string: '',
  list: [],
  map: {},
  timestamp: new Instant(0),
  duration: new Duration(1),
}

/** What the operator gives for these kinds, if they are known; a fault if it never takes them. */
const kindOfResult = (left: Part, right: Part, offset: number, apply: (left: Value, right: Value) => Kind | null): Kind | null => {
  const a = left.kind === null ? undefined : samples[left.kind]
  const b = right.kind === null ? undefined : samples[right.kind]
  if (a === undefined || b === undefined) return null
  try {
    return apply(a, b)
  } catch (error) {
    throw error instanceof Fault ? new Fault(error.code, error.message, offset, error.help) : error
  }
}

const binary = (syntax: BinarySyntax<string>, locals: Locals, { compile }: Compiling): readonly [Part, Part] => [
  compile(syntax.args[0], locals),
  compile(syntax.args[1], locals),
]

/** Where an operator stands: the library blames its left operand. */
const operatorOffset = (syntax: BinarySyntax<string>): number => {
  const [left, right] = syntax.args
  const between = syntax.input.slice(left.end, right.start)
  const found = between.indexOf(syntax.op)
  return found === -1 ? syntax.pos : left.end + found
}

const arithmetic = (syntax: BinarySyntax<Arithmetic>, locals: Locals, compiling: Compiling): Part => {
  const [left, right] = binary(syntax, locals, compiling)
  const { op } = syntax
  const offset = operatorOffset(syntax)
  const kind = kindOfResult(left, right, offset, (a, b) => kindOfSample(calculate(op, a, b, { left: 1000 })))
  return {
    kind,
    run: (frame) => {
      const a = left.run(frame)
      const b = right.run(frame)
      frame.at = offset
      return calculate(op, a, b, frame)
    },
  }
}

const kindOfSample = (value: Value): Kind | null => {
  if (typeof value === 'number') return 'number'
  if (typeof value === 'string') return 'string'
  if (value instanceof Instant) return 'timestamp'
  return value instanceof Duration ? 'duration' : 'list'
}

const holds: { readonly [op in Comparison]: (order: number) => boolean } = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

const comparison = (syntax: BinarySyntax<Comparison>, locals: Locals, compiling: Compiling): Part => {
  const [left, right] = binary(syntax, locals, compiling)
  const { op } = syntax
  const offset = operatorOffset(syntax)
  const test = holds[op]
  kindOfResult(left, right, offset, (a, b) => (compare(a, b, op, { left: 1000 }), 'bool'))
  return {
    kind: 'bool',
    run: (frame) => {
      const a = left.run(frame)
      const b = right.run(frame)
      frame.at = offset
      return test(compare(a, b, op, frame))
    },
  }
}

const equality = (syntax: BinarySyntax<'==' | '!='>, locals: Locals, compiling: Compiling): Part => {
  const [left, right] = binary(syntax, locals, compiling)
  const wanted = syntax.op === '=='
  return { kind: 'bool', run: (frame) => equal(left.run(frame), right.run(frame), frame) === wanted }
}

const membership = (syntax: BinarySyntax<'in'>, locals: Locals, compiling: Compiling): Part => {
  const [left, right] = binary(syntax, locals, compiling)
  const offset = operatorOffset(syntax)
  if (right.kind !== null && right.kind !== 'list' && right.kind !== 'map')
    throw new Fault('expression.type', `"in" needs a list or an object on its right, not ${nameOf(right.kind)}`, offset)
  return {
    kind: 'bool',
    run: (frame) => {
      const value = left.run(frame)
      const container = right.run(frame)
      frame.at = offset
      return contains(value, container, frame)
    },
  }
}

const condition = (part: Part, what: string, offset: number): Evaluate => {
  const wrong = (kind: string): Fault => new Fault('expression.type', `${what} needs true or false, not ${kind}`, offset)
  if (part.kind !== null && part.kind !== 'bool') throw wrong(nameOf(part.kind))
  return (frame) => {
    const value = part.run(frame)
    if (typeof value === 'boolean') return value
    throw wrong(value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`)
  }
}

/** `&&` and `||`: an error on one side does not matter when the other side decides (langdef, "Logical operators"). */
const logical = (syntax: BinarySyntax<'&&' | '||'>, locals: Locals, compiling: Compiling): Part => {
  const [l, r] = binary(syntax, locals, compiling)
  const left = condition(l, `"${syntax.op}"`, syntax.args[0].pos)
  const right = condition(r, `"${syntax.op}"`, syntax.args[1].pos)
  const decisive = syntax.op === '||'
  return {
    kind: 'bool',
    run: (frame) => {
      let first: Value
      try {
        first = left(frame)
      } catch (error) {
        if (!(error instanceof Fault) || error.code === 'expression.limit') throw error
        spend(frame, fault_cost)
        if (right(frame) === decisive) return decisive
        throw error
      }
      return first === decisive ? decisive : right(frame)
    },
  }
}

const ternary = (syntax: Syntax & { op: '?:' }, locals: Locals, { compile }: Compiling): Part => {
  const [when, then, otherwise] = syntax.args.map((each) => compile(each, locals)) as [Part, Part, Part]
  const decide = condition(when, 'The condition before "?"', syntax.args[0].pos)
  return {
    kind: then.kind === otherwise.kind ? then.kind : null,
    run: (frame) => (decide(frame) === true ? then.run(frame) : otherwise.run(frame)),
  }
}

const negation = (syntax: Syntax & { op: '-_' }, locals: Locals, { compile }: Compiling): Part => {
  const part = compile(syntax.args, locals)
  const wrong = new Fault('expression.type', 'Only a number or a duration can be negated', syntax.pos)
  if (part.kind !== null && part.kind !== 'number' && part.kind !== 'duration') throw wrong
  return {
    kind: part.kind,
    run: (frame) => {
      const value = part.run(frame)
      if (typeof value === 'number') return -value
      if (value instanceof Duration) return new Duration(-value.ms)
      throw wrong
    },
  }
}

const list = (syntax: Syntax & { op: 'list' }, locals: Locals, { compile }: Compiling): Part => {
  const parts = syntax.args.map((each) => compile(each, locals).run)
  return { kind: 'list', run: (frame) => parts.map((part) => part(frame)) }
}

const map = (syntax: Syntax & { op: 'map' }, locals: Locals, { compile }: Compiling): Part => {
  const entries = syntax.args.map(([key, value]) => ({ key: compile(key, locals).run, value: compile(value, locals).run, offset: key.pos }))
  return {
    kind: 'map',
    run: (frame) => {
      const made: { [key: string]: Value } = {}
      for (const { key, value, offset } of entries) {
        const name = key(frame)
        if (typeof name !== 'string') throw new Fault('expression.type', 'The keys of an object are texts', offset)
        if (forbiddenKey(name)) throw new Fault('expression.argument', `"${name}" cannot be a key`, offset)
        made[name] = value(frame)
      }
      return made
    },
  }
}

const compilePart = (syntax: Syntax, locals: Locals, compiling: Compiling): Part => {
  switch (syntax.op) {
    case 'value':
      return literal(syntax)
    case 'id':
      return compileName(syntax.args, syntax, locals, compiling)
    case '.':
    case '[]':
      return compileAccess(syntax, locals, compiling)
    case '.?':
    case '[?]':
      return compileOptionalAccess(syntax, locals, compiling)
    case 'call':
      return compileCall(syntax, locals, compiling)
    case 'rcall':
      return compileMethod(syntax, locals, compiling)
    case 'list':
      return list(syntax, locals, compiling)
    case 'map':
      return map(syntax, locals, compiling)
    case '?:':
      return ternary(syntax, locals, compiling)
    case '||':
    case '&&':
      return logical(syntax, locals, compiling)
    case '!_': {
      const value = condition(compiling.compile(syntax.args, locals), '"!"', syntax.pos)
      return { kind: 'bool', run: (frame) => value(frame) === false }
    }
    case '-_':
      return negation(syntax, locals, compiling)
    case '==':
    case '!=':
      return equality(syntax, locals, compiling)
    case 'in':
      return membership(syntax, locals, compiling)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(syntax, locals, compiling)
    default:
      return arithmetic(syntax, locals, compiling)
  }
}

export interface Program {
  readonly part: Part
  readonly references: readonly Reference[]
  /** Bound names that an evaluation needs room for. */
  readonly slots: number
}

/** Turns a syntax tree into functions. Throws a `Fault` for what cannot work: unknown names, operators between the wrong kinds. */
export const compileProgram = (syntax: Syntax, roots: ReadonlySet<Root>): Program => {
  let slots = 0
  const references: Reference[] = []
  const compiling: Compiling = {
    roots,
    references,
    compile: (part, locals) => compilePart(part, locals, compiling),
    slot: () => slots++,
  }
  const part = compilePart(syntax, new Map(), compiling)
  return { part, references, slots }
}
