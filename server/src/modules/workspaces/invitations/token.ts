import { createHash, randomBytes } from 'node:crypto'

/** Recognisable in a leak, and never mistaken for a token or a key of another kind. */
const prefix = 'mlri_'
const form = /^mlri_[A-Za-z0-9_-]{43}$/

/** 256 random bits. */
export const newToken = (): string => prefix + randomBytes(32).toString('base64url')

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

export const isToken = (text: string): boolean => form.test(text)
