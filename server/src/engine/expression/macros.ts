import { compilePresence } from './access.ts'
import { checkedList, compare, nameOf } from './operators.ts'
import type { Compiling, Evaluate, Frame, Locals, Part } from './scope.ts'
import type { Syntax } from './syntax.ts'
import { type Budget, Fault, fault_cost, isList, isMap, keysOf, kindOf, Optional, spend, type Kind, type Value } from './value.ts'

interface Use {
  readonly syntax: Syntax
  readonly receiver: Syntax | null
  readonly args: readonly Syntax[]
  readonly locals: Locals
  readonly compiling: Compiling
}

/** A call whose arguments are not all values: some are names or are evaluated more than once, or not at all. */
export interface Macro {
  readonly form: 'call' | 'method'
  readonly expand: (use: Use) => Part
}

const takes = (use: Use, name: string, counts: readonly number[], example: string): void => {
  if (!counts.includes(use.args.length)) throw new Fault('expression.argument', `${name}() is written as \`${example}\``, use.syntax.pos)
}

const bind = (use: Use, name: Syntax): { readonly slot: number; readonly locals: Locals } => {
  if (name.op !== 'id') throw new Fault('expression.syntax', 'The first value is the name of the element, as in `map(x, x + 1)`', name.pos)
  const slot = use.compiling.slot()
  return { slot, locals: new Map([...use.locals, [name.args, slot]]) }
}

/** Nodes of a part's tree, which is what one round through it costs. */
const sizeOf = (syntax: unknown): number => {
  if (Array.isArray(syntax)) return syntax.reduce<number>((total, each) => total + sizeOf(each), 0)
  if (typeof syntax !== 'object' || syntax === null || !('op' in syntax)) return 0
  return 1 + sizeOf((syntax as Syntax).args)
}

const elementsOf = (value: Value, offset: number, budget: Budget): readonly Value[] => {
  if (isList(value)) return value
  if (isMap(value)) return keysOf(value, budget)
  throw new Fault('expression.type', `A list or an object is needed to go through, not ${nameOf(kindOf(value))}`, offset)
}

/** What a macro over elements needs: each round sets the element, runs the body and is charged for it. */
interface Loop {
  readonly elements: (frame: Frame) => readonly Value[]
  readonly bodies: readonly Evaluate[]
  readonly enter: (frame: Frame, element: Value) => void
}

const loop = (use: Use): Loop => {
  const receiver = use.receiver as Syntax
  const over = use.compiling.compile(receiver, use.locals)
  if (over.kind !== null && over.kind !== 'list' && over.kind !== 'map')
    throw new Fault('expression.type', `A list or an object is needed to go through, not ${nameOf(over.kind)}`, receiver.pos)
  const { slot, locals } = bind(use, use.args[0] as Syntax)
  const bodies = use.args.slice(1).map((body) => use.compiling.compile(body, locals).run)
  const cost = 1 + sizeOf(use.args.slice(1))
  return {
    elements: (frame) => elementsOf(over.run(frame), receiver.pos, frame),
    bodies,
    enter: (frame, element) => {
      frame.at = use.syntax.pos
      spend(frame, cost)
      frame.locals[slot] = element
    },
  }
}

const truth = (value: Value, offset: number): boolean => {
  if (typeof value === 'boolean') return value
  throw new Fault('expression.type', `The condition gives ${nameOf(kindOf(value))}, not true or false`, offset)
}

const overElements = (
  name: string,
  counts: readonly number[],
  example: string,
  kind: Kind,
  run: (loop: Loop, frame: Frame, offset: number) => Value,
): Macro => ({
  form: 'method',
  expand: (use) => {
    takes(use, name, counts, example)
    const parts = loop(use)
    const offset = (use.args[1] as Syntax).pos
    return { kind, run: (frame) => run(parts, frame, offset) }
  },
})

/**
 * `all` and `exists`: an element that gives an error does not matter when another one decides (langdef, "Macros").
 */
const quantifier = (name: string, decisive: boolean): Macro =>
  overElements(name, [2], `list.${name}(x, x > 1)`, 'bool', ({ elements, bodies, enter }, frame, offset) => {
    const body = bodies[0] as Evaluate
    let fault: Fault | null = null
    for (const element of elements(frame)) {
      enter(frame, element)
      try {
        if (truth(body(frame), offset) === decisive) return decisive
      } catch (error) {
        if (!(error instanceof Fault) || error.code === 'expression.limit') throw error
        spend(frame, fault_cost)
        fault ??= error
      }
    }
    if (fault) throw fault
    return !decisive
  })

const existsOne = (name: string): Macro =>
  overElements(name, [2], `list.${name}(x, x > 1)`, 'bool', ({ elements, bodies, enter }, frame, offset) => {
    let count = 0
    for (const element of elements(frame)) {
      enter(frame, element)
      if (truth((bodies[0] as Evaluate)(frame), offset)) count += 1
    }
    return count === 1
  })

const filter = overElements('filter', [2], 'list.filter(x, x > 1)', 'list', ({ elements, bodies, enter }, frame, offset) =>
  elements(frame).filter((element) => {
    enter(frame, element)
    return truth((bodies[0] as Evaluate)(frame), offset)
  }),
)

const map = overElements('map', [2, 3], 'list.map(x, x * 2)', 'list', ({ elements, bodies, enter }, frame, offset) => {
  const made: Value[] = []
  const [first, second] = bodies as [Evaluate, Evaluate | undefined]
  for (const element of elements(frame)) {
    enter(frame, element)
    if (second === undefined) made.push(first(frame))
    else if (truth(first(frame), offset)) made.push(second(frame))
  }
  return checkedList(made)
})

const sortBy = overElements('sortBy', [2], 'list.sortBy(x, x.age)', 'list', ({ elements, bodies, enter }, frame, offset) => {
  const keyed = elements(frame).map((element) => {
    enter(frame, element)
    return { element, key: (bodies[0] as Evaluate)(frame) }
  })
  frame.at = offset
  spend(frame, keyed.length * 8)
  return keyed.toSorted((a, b) => compare(a.key, b.key, 'sort', frame)).map(({ element }) => element)
})

const has: Macro = {
  form: 'call',
  expand: (use) => {
    takes(use, 'has', [1], 'has(trigger.body.name)')
    const [argument] = use.args as [Syntax]
    if (argument.op !== '.') throw new Fault('expression.argument', 'has() takes a path, as in `has(trigger.body.name)`', argument.pos)
    const before = use.compiling.references.length
    const run = compilePresence(argument, use.locals, use.compiling)
    const asked = use.compiling.references.splice(before)
    use.compiling.references.push(...asked.map((reference) => ({ ...reference, optional: true })))
    return { kind: 'bool', run: (frame) => run(frame) !== undefined }
  },
}

const celBind: Macro = {
  form: 'call',
  expand: (use) => {
    takes(use, 'cel.bind', [3], 'cel.bind(x, trigger.body.n, x * x)')
    const [name, value, body] = use.args as [Syntax, Syntax, Syntax]
    const bound = use.compiling.compile(value, use.locals).run
    const { slot, locals } = bind(use, name)
    const part = use.compiling.compile(body, locals)
    return {
      kind: part.kind,
      run: (frame) => {
        frame.locals[slot] = bound(frame)
        return part.run(frame)
      },
    }
  },
}

/** A method of an optional value. */
const ofOptional = (
  name: string,
  count: number,
  kind: Kind | null,
  run: (optional: Optional, frame: Frame, other: Evaluate, offset: number) => Value,
): Macro => ({
  form: 'method',
  expand: (use) => {
    takes(use, name, [count], `trigger.body.?name.${name}(${count === 1 ? '…' : ''})`)
    const receiver = use.receiver as Syntax
    const part = use.compiling.compile(receiver, use.locals)
    const wrong = new Fault(
      'expression.type',
      `${name}() belongs after \`.?\`, as in \`trigger.body.?name.${name}(${count === 1 ? '…' : ''})\``,
      receiver.end,
    )
    if (part.kind !== null && part.kind !== 'optional') throw wrong
    const other: Evaluate = count === 1 ? use.compiling.compile(use.args[0] as Syntax, use.locals).run : () => null
    return {
      kind,
      run: (frame) => {
        const value = part.run(frame)
        if (!(value instanceof Optional)) throw wrong
        return run(value, frame, other, receiver.end)
      },
    }
  },
})

const optionalOf: Macro = {
  form: 'call',
  expand: (use) => {
    takes(use, 'optional.of', [1], 'optional.of(1)')
    const { run } = use.compiling.compile(use.args[0] as Syntax, use.locals)
    return { kind: 'optional', run: (frame) => new Optional(run(frame)) }
  },
}

const optionalNone: Macro = {
  form: 'call',
  expand: (use) => {
    takes(use, 'optional.none', [0], 'optional.none()')
    return { kind: 'optional', run: () => new Optional(undefined) }
  },
}

export const macros: { readonly [name: string]: Macro } = {
  has,
  all: quantifier('all', false),
  exists: quantifier('exists', true),
  exists_one: existsOne('exists_one'),
  existsOne: existsOne('existsOne'),
  filter,
  map,
  sortBy,
  'cel.bind': celBind,
  'optional.of': optionalOf,
  'optional.none': optionalNone,
  orValue: ofOptional('orValue', 1, null, (optional, frame, other) => (optional.value === undefined ? other(frame) : optional.value)),
  or: ofOptional('or', 1, 'optional', (optional, frame, other) => (optional.value === undefined ? other(frame) : optional)),
  hasValue: ofOptional('hasValue', 0, 'bool', (optional) => optional.value !== undefined),
  value: ofOptional('value', 0, null, (optional, _frame, _other, offset) => {
    if (optional.value !== undefined) return optional.value
    throw new Fault('expression.missing', 'There is no value; `.orValue(…)` says what to take instead', offset)
  }),
}
