import type { TestApp, TestReply, TestUser } from '../../test-app.ts'
import type { Feature, PlanName } from './catalogue.ts'
import { notices } from './notices.ts'

/** Puts a user on a plan, as an admin does. */
export const givePlan = async (admin: TestUser, user: TestUser, plan: PlanName): Promise<void> => {
  const { status, body } = await admin.call('PUT', `/api/v1/users/admin/users/${user.id}/plan`, { body: { plan } })
  if (status !== 200) throw new Error(`The plan was not changed: ${status} ${JSON.stringify(body)}`)
}

/** What `GET /plans/usage` says of one feature. */
export const usageOf = async (user: TestUser, feature: Feature): Promise<TestReply['body']> => {
  const { body } = await user.call('GET', '/api/v1/plans/usage')
  return body.features.find((one: { readonly feature: string }) => one.feature === feature)
}

/** The data of the events of a name that were recorded so far, what is told in the background included. */
export const told = async (mill: TestApp, name: string, workspace_id: string): Promise<readonly object[]> => {
  await mill.app.use(notices).settled()
  return (await mill.events())
    .filter((event) => event.name === name && event.workspace_id === workspace_id)
    .map(({ data }) => data as object)
}

/** Sends so many requests, a few at a time, and answers in how they ended. */
export const times = async (
  count: number,
  at_once: number,
  send: (number: number) => Promise<TestReply>,
): Promise<readonly TestReply[]> => {
  const replies: TestReply[] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) replies.push(await send(next++))
  }
  await Promise.all(Array.from({ length: at_once }, work))
  return replies
}
