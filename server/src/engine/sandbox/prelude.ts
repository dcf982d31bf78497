/**
 * The first program of every machine, before any of a stranger's. It leaves `seed`, which is to be called first, `start`, which runs the
 * program, and `box`, where that puts what came of it. Both keep what they need of JavaScript in hand, so that a program that bends the globals bends
 * only what it sees itself; what is in the box is read with suspicion all the same.
 *
 *   seed(a, b, c, d)   start(loading: Promise<module>, input: JSON, context: JSON or undefined, max_chars)
 *   box.state: 'pending' | 'done' | 'wants_context' | 'no_function' | 'too_large' | 'invalid' | 'threw'
 */
export const prelude = `(() => {
  'use strict'
  const { parse, stringify } = JSON
  const { Map, Set, Math, Symbol, String, TypeError } = globalThis
  const describe = Function.prototype.call.bind(Symbol.prototype.toString)
  const cut = Function.prototype.call.bind(String.prototype.slice)
  const define = Object.defineProperty
  const box = { __proto__: null, state: 'pending', text: '', name: '', stack: '', logs: '' }

  delete globalThis.SharedArrayBuffer

  let lines = 0
  const textOf = (value, most) => {
    const text = typeof value === 'string' ? value : typeof value === 'symbol' ? describe(value) : \`\${value}\`
    return text.length > most ? cut(text, 0, most) : text
  }
  const shown = (value) => {
    if (typeof value !== 'object' || value === null) return textOf(value, 500)
    try {
      return textOf(value.stack === undefined ? stringify(value) : value.name + ': ' + value.message, 500)
    } catch {
      return 'an object that cannot be shown'
    }
  }
  const log = (...values) => {
    if (lines >= 50) return
    lines += 1
    let line = ''
    for (let index = 0; index < values.length && line.length < 500; index += 1) line += (index === 0 ? '' : ' ') + shown(values[index])
    box.logs += (lines === 1 ? '' : '\\u0000') + textOf(line, 500)
  }
  define(globalThis, 'console', {
    value: { log, debug: log, info: log, warn: log, error: log },
    writable: true,
    configurable: true,
  })

  // xoshiro128** of David Blackman and Sebastiano Vigna.
  const seeded = (a, b, c, d) => () => {
    const next = () => {
      const turned = b * 5
      const result = (((turned << 7) | (turned >>> 25)) * 9) >>> 0
      const shifted = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= shifted
      d = (d << 11) | (d >>> 21)
      return result
    }
    return ((next() >>> 5) * 67108864 + (next() >>> 6)) / 9007199254740992
  }
  const seed = (a, b, c, d) => {
    define(Math, 'random', { value: seeded(a | 0, b | 0, c | 0, d | 0), writable: true, configurable: true })
  }

  const invalid = { __proto__: null }
  const refuse = (key, what) => {
    box.text = (key === '' ? 'The output' : 'The output at "' + textOf(key, 100) + '"') + ' is ' + what + ', which JSON cannot hold'
    throw invalid
  }
  const asJson = (key, value) => {
    switch (typeof value) {
      case 'number':
        if (value - value !== 0) refuse(key, textOf(value, 20))
        return value
      case 'function':
        return refuse(key, 'a function')
      case 'symbol':
        return refuse(key, 'a symbol')
      case 'bigint':
        return refuse(key, 'a BigInt')
      case 'object':
        if (value instanceof Map) refuse(key, 'a Map')
        if (value instanceof Set) refuse(key, 'a Set')
        return value
      default:
        return value
    }
  }

  const tell = (error) => {
    box.state = 'threw'
    box.text = 'The program threw what cannot be read'
    if (typeof error !== 'object' || error === null) {
      box.text = textOf(error, 1000)
      return
    }
    const { message, name, stack } = error
    const texts = [textOf(message, 1000), textOf(name, 100), textOf(stack, 4000)]
    box.text = message === undefined ? 'The program threw an object without a message' : texts[0]
    box.name = name === undefined ? '' : texts[1]
    box.stack = stack === undefined ? '' : texts[2]
  }

  const execute = async (loading, input, context, max_chars) => {
    const program = (await loading).default
    if (typeof program !== 'function') return 'no_function'
    if (context === undefined && program.length > 1) return 'wants_context'
    const value = await program(parse(input), context === undefined ? undefined : parse(context))
    if (value === undefined) {
      box.text = 'null'
      return 'done'
    }
    let text
    try {
      text = stringify(value, asJson)
    } catch (error) {
      if (error === invalid) return 'invalid'
      if (!(error instanceof TypeError) || error.message !== 'circular reference') throw error
      box.text = 'The output holds itself, which JSON cannot'
      return 'invalid'
    }
    // What a toJSON makes undefined.
    if (text === undefined) text = 'null'
    if (text.length > max_chars) return 'too_large'
    box.text = text
    return 'done'
  }

  const start = async (loading, input, context, max_chars) => {
    try {
      box.state = await execute(loading, input, context, max_chars)
    } catch (error) {
      try {
        tell(error)
      } catch {
        // A getter or a toString of the error has failed: what is told of it by then has to do.
      }
    }
  }
  return { start, box, seed }
})()`
