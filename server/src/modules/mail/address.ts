/** `local@domain` as SMTP takes it unquoted (RFC 5321, Dot-string), one address: nothing that a header or a command could be made of. */
const address =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

export const isAddress = (text: string): boolean => text.length <= 254 && text.indexOf('@') <= 64 && address.test(text)

/** Whom mails come from. */
export interface Sender {
  readonly name: string
  readonly address: string
}

/** Reads `Name <address>` or an address alone; null when it is neither. */
export const parseSender = (text: string): Sender | null => {
  const [, name = '', inner] = /^(?:"?([^"<>\p{Cc}]*?)"?\s*)<([^<>\s]+)>$/u.exec(text.trim()) ?? []
  const sender = { name: name.trim(), address: inner ?? text.trim() }
  return isAddress(sender.address) ? sender : null
}

/** One line of at most `most` characters: what a header takes. Line breaks and other control characters become spaces. */
export const oneLine = (text: string, most: number): string => {
  const line = text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
  return line.length <= most
    ? line
    : `${line
        .slice(0, most - 1)
        .toWellFormed()
        .replace(/\uFFFD$/, '')}…`
}
