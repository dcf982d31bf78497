import { type Letter, write, type Written } from '../../mail/mail.ts'

export interface About {
  /** `PUBLIC_URL`. */
  readonly installation: string
  readonly email: string
  /** As its owner named the key. */
  readonly name: string
}

const letter = ({ installation, email }: About, { notes = [], ...rest }: Letter): Written =>
  write({ ...rest, notes: [...notes, `Sent to ${email} by ${new URL(installation).host}.`] })

const notYou = 'If this was not you, somebody is in your account: remove the key, sign out everywhere and change your password.'

export const keyCreated = (about: About, permissions: readonly string[]): Written =>
  letter(about, {
    subject: 'A new API key was made for your account',
    paragraphs: [`It is called "${about.name}" and may do this in your name: ${permissions.join(', ')}.`, notYou],
  })

export const keyWidened = (about: About, permissions: readonly string[]): Written =>
  letter(about, {
    subject: 'An API key of your account may do more than before',
    paragraphs: [`The key "${about.name}" may now also do this in your name: ${permissions.join(', ')}.`, notYou],
  })

export const keyRemovedByAdmin = (about: About): Written =>
  letter(about, {
    subject: 'An API key of your account was removed',
    paragraphs: [`An administrator of this installation removed the key "${about.name}". Programs that use it are refused from now on.`],
  })
