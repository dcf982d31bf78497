import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRegister, createRoster } from './churn.ts'

const inOrder = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)
const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'toString')

test('a register holds what a map would, whatever is done with it and whatever the keys are called', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, value: fc.nat() }),
    fc.record({ do: fc.constant('delete' as const), key }),
    fc.record({ do: fc.constant('clear' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const register = createRegister<number>()
      const map = new Map<string, number>()
      for (const one of steps) {
        if (one.do === 'set') {
          register.set(one.key, one.value)
          map.set(one.key, one.value)
        } else if (one.do === 'delete') {
          register.delete(one.key)
          map.delete(one.key)
        } else {
          register.clear()
          map.clear()
        }
        expect(register.size()).toBe(map.size)
        expect(inOrder(register.values())).toEqual(inOrder([...map.values()]))
        for (const name of ['a', '__proto__', 'constructor']) {
          expect(register.get(name)).toBe(map.get(name))
          expect(register.has(name)).toBe(map.has(name))
        }
      }
    }),
  )
})

test('a roster gives each its own place, gives places out again, and forgets nobody who was not removed', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20))), (steps) => {
      const roster = createRoster<{ readonly number: number }>()
      const there = new Map<number, { readonly number: number }>()
      let most = 0
      steps.forEach((remove, number) => {
        if (remove === null) {
          const value = { number }
          const place = roster.add(value)
          expect(there.has(place)).toBe(false)
          there.set(place, value)
          most = Math.max(most, there.size)
          expect(place).toBeLessThan(most)
        } else {
          roster.remove(remove)
          there.delete(remove)
        }
      })
      expect(new Set(roster.drain())).toEqual(new Set(there.values()))
      expect(roster.drain()).toEqual([])
    }),
  )
})
