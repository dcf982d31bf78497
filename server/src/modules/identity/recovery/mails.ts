import { type Letter, write, type Written } from '../../mail/mail.ts'

/** Where a mail stands, and for whom: shown in each so that its reader can tell whether it is meant for them. */
interface About {
  /** `PUBLIC_URL`. */
  readonly installation: string
  readonly email: string
}

const hostOf = (installation: string): string => new URL(installation).host

const letter = ({ installation, email }: About, { notes = [], ...rest }: Letter): Written =>
  write({ ...rest, notes: [...notes, `Sent to ${email} by ${hostOf(installation)}.`] })

const ignoreIt = 'If you did not ask for this, leave it: without the link nothing happens.'

export const resetLink = (about: About, url: string): Written =>
  letter(about, {
    subject: 'Set a new password',
    paragraphs: [`Somebody, you we hope, asked for a new password for your account at ${hostOf(about.installation)}.`],
    link: { label: 'Choose a new password', url },
    notes: ['The link works once, for 30 minutes.', ignoreIt],
  })

/** For an account whose address nobody has confirmed: what was set up before the link is used goes away. */
const whatGoes =
  'The address of this account was never confirmed. To be sure that nobody else keeps a way into it, its password, sign-ins, API keys and second factors from before are removed when you use the link.'

export const resetLinkUnconfirmed = (about: About, url: string): Written =>
  letter(about, {
    subject: 'Set a new password',
    paragraphs: [`Somebody, you we hope, asked for a new password for your account at ${hostOf(about.installation)}.`, whatGoes],
    link: { label: 'Choose a new password', url },
    notes: ['The link works once, for 30 minutes.', ignoreIt],
  })

export const passwordWasReset = (about: About): Written =>
  letter(about, {
    subject: 'Your password was changed',
    paragraphs: [
      'A new password was set for your account with a link that we sent to this address. You are signed out everywhere.',
      'API keys go on working. If you set the new password because somebody else may have had the old one, look through your API keys and remove those that you do not know.',
      'If this was not you, somebody can read your mail: change the password of your mailbox first, then ask for a new link.',
    ],
  })
