import { type Letter, write, type Written } from '../../mail/mail.ts'

/** Where a mail stands, and for whom: shown in each, so that its reader can tell whether it is meant for them. */
export interface About {
  /** `PUBLIC_URL`. */
  readonly installation: string
  /** Whom it is sent to. */
  readonly email: string
}

const hostOf = (installation: string): string => new URL(installation).host

const letter = ({ installation, email }: About, { notes = [], ...rest }: Letter): Written =>
  write({ ...rest, notes: [...notes, `Sent to ${email} by ${hostOf(installation)}.`] })

const ignoreIt = 'If you did not ask for this, leave it: without the link nothing happens.'
const notYou = 'If this was not you, ask for a link to set a new password now: that ends every session of your account.'

/** For an account whose address nobody has confirmed: what goes when the link is used. */
const whatGoes = (email_verified: boolean): readonly string[] =>
  email_verified
    ? []
    : [
        'The address of this account was never confirmed, so we cannot know who set it up. To leave nobody else a way into it, its password, sessions, API keys, linked sign-ins and second factors from before are removed when you use the link.',
      ]

export const resetLink = (about: About, url: string, email_verified: boolean): Written =>
  letter(about, {
    subject: 'Set a new password',
    paragraphs: [
      `Somebody, you we hope, asked for a new password for your account at ${hostOf(about.installation)}.`,
      ...whatGoes(email_verified),
    ],
    link: { label: 'Choose a new password', url },
    notes: ['The link works once, for 30 minutes.', ignoreIt],
  })

export const magicLink = (about: About, url: string, email_verified: boolean): Written =>
  letter(about, {
    subject: 'Your link to sign in',
    paragraphs: [`Somebody, you we hope, wants to sign in to your account at ${hostOf(about.installation)}.`, ...whatGoes(email_verified)],
    link: { label: 'Sign in', url },
    notes: [
      'The link works once, for 10 minutes. Open it in the browser in which you want to be signed in, and give it to nobody.',
      ignoreIt,
    ],
  })

export const verificationLink = (about: About, url: string): Written =>
  letter(about, {
    subject: 'Confirm your e-mail address',
    paragraphs: [
      `An account at ${hostOf(about.installation)} was made with this address. If you made it, confirm that the address is yours; you are asked for the password of the account.`,
      'If you did not, somebody else typed your address. Open the link and choose “This was not me”: then nobody can use the account.',
    ],
    link: { label: 'Confirm the address', url },
    notes: ['The link works once, for 24 hours.'],
  })

export const changeLink = (about: About, url: string): Written =>
  letter(about, {
    subject: 'Confirm your new e-mail address',
    paragraphs: [
      `Somebody wants this to be the address of their account at ${hostOf(about.installation)}. If that was you, confirm it; you are asked for the password of the account.`,
      'If it was not, leave it: without the link nothing happens.',
    ],
    link: { label: 'Use this address', url },
    notes: ['The link works once, for an hour.'],
  })

export const changeWasRequested = (about: About, email: string): Written =>
  letter(about, {
    subject: 'A new address was asked for',
    paragraphs: [
      `Somebody who is signed in to your account and knows its password asked for its address to become ${email}. It does when a link that was sent there is used.`,
    ],
    notes: [notYou],
  })

export const addressIsTaken = (about: About): Written =>
  letter(about, {
    subject: 'Your address was asked for',
    paragraphs: [
      `Somebody wants this to be the address of another account at ${hostOf(about.installation)}. You have an account with it already, so nothing was changed.`,
      'If that was you: sign in to this account, or give it another address first.',
    ],
  })

export const addressWasChanged = (about: About, email: string): Written =>
  letter(about, {
    subject: 'The address of your account was changed',
    paragraphs: [`Your account at ${hostOf(about.installation)} has another address now: ${email}. No more mails about it come here.`],
    notes: ['If this was not you, write to who runs this installation.'],
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

export const passwordWasChanged = (about: About): Written =>
  letter(about, {
    subject: 'Your password was changed',
    paragraphs: [
      'The password of your account was changed by somebody who is signed in to it. All other sessions have ended; API keys go on working.',
    ],
    notes: [notYou],
  })

export const accountWasClaimed = (about: About): Written =>
  letter(about, {
    subject: 'Your account is yours now',
    paragraphs: [
      `You have shown that this address is yours. Until now nobody had confirmed it, so everything that let somebody into the account at ${hostOf(about.installation)} was removed: password, sessions, API keys, linked sign-ins and second factors. Set up anew what you need.`,
      'What was made in the account is still there. If you did not register here yourself, look through its workflows and members before you use it.',
    ],
  })

export const accountMade = (about: About, url: string): Written =>
  letter(about, {
    subject: 'Your account',
    paragraphs: [`An account was made for you at ${hostOf(about.installation)}. Choose a password, and you can sign in.`],
    link: { label: 'Choose a password', url },
    notes: ['The link works once, for a week.', 'If you do not know what this is about, leave it: without the link nobody can sign in.'],
  })
