import { expect, test } from 'vitest'
import type { App } from './context.ts'
import { createLifecycle } from './lifecycle.ts'
import { defineService, type Service } from './service.ts'

const setUp = () => {
  const steps: string[] = []
  const logged: string[] = []
  // The lifecycle hands the app through and writes to its log; it asks for nothing else of it.
  const app = { log: { error: (_: object, message: string) => logged.push(message) } } as unknown as App
  const service = (name: string, failing?: 'create' | 'start' | 'drain' | 'stop'): Service<string> => {
    const step = (at: 'create' | 'start' | 'drain' | 'stop') => {
      steps.push(`${at} ${name}`)
      if (at === failing) throw new Error(`${name} cannot ${at}`)
    }
    return defineService<string>({
      name,
      create: () => (step('create'), name),
      start: () => step('start'),
      drain: () => step('drain'),
      stop: () => step('stop'),
    })
  }
  return { app, logged, service, steps }
}

test('services are made and started in order, and drained and stopped in reverse', async () => {
  const { app, service, steps } = setUp()
  const lifecycle = createLifecycle([service('a'), service('b')])
  await lifecycle.start(app)
  await lifecycle.drain()
  await lifecycle.stop()
  expect(steps).toEqual(['create a', 'create b', 'start a', 'start b', 'drain b', 'drain a', 'stop b', 'stop a'])
})

test('stopped twice, also at the same moment, each service stops once', async () => {
  const { app, service, steps } = setUp()
  const lifecycle = createLifecycle([service('a')])
  await lifecycle.start(app)
  await Promise.all([lifecycle.stop(), lifecycle.stop()])
  await lifecycle.stop()
  expect(steps.filter((step) => step.startsWith('stop'))).toEqual(['stop a'])
})

test('after a service failed to be made, what was made before it is stopped and nothing else', async () => {
  const { app, service, steps } = setUp()
  const lifecycle = createLifecycle([service('a'), service('b', 'create'), service('c')])
  await expect(lifecycle.start(app)).rejects.toThrow('b cannot create')
  await lifecycle.stop()
  expect(steps).toEqual(['create a', 'create b', 'stop a'])
})

test('a service that failed to start is stopped too', async () => {
  const { app, service, steps } = setUp()
  const lifecycle = createLifecycle([service('a', 'start'), service('b')])
  await expect(lifecycle.start(app)).rejects.toThrow('a cannot start')
  await lifecycle.stop()
  expect(steps).toEqual(['create a', 'create b', 'start a', 'stop b', 'stop a'])
})

test('a service that fails to stop is logged, and the others stop all the same', async () => {
  const { app, logged, service, steps } = setUp()
  const lifecycle = createLifecycle([service('a'), service('b', 'stop')])
  await lifecycle.start(app)
  await lifecycle.stop()
  expect(steps.slice(-2)).toEqual(['stop b', 'stop a'])
  expect(logged).toEqual(['stop failed'])
})

test('a service is used by the value that declares it, and only where it is mounted', async () => {
  const { app, service } = setUp()
  const a = service('a')
  const lifecycle = createLifecycle([a])
  expect(() => lifecycle.use(a)).toThrow("The service 'a' is not there (yet)")
  await lifecycle.start(app)
  expect(lifecycle.use(a)).toBe('a')
  expect(() => lifecycle.use(service('a'))).toThrow("The service 'a' is not there (yet)")
})
