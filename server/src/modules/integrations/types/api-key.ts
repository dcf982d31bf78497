import { Type } from 'typebox'
import { originsOf } from '../hosts.ts'
import { AllowedHosts, BaseUrl, below, defineType, type IntegrationType, SecretField } from '../type.ts'
import { call, verdictOf } from '../verdict.ts'

/** What differs between services that know their callers by one key. */
interface ApiKeyService {
  readonly type: string
  readonly title: string
  readonly doc: string
  readonly base_url: string
  readonly key: string
  readonly headers: (api_key: string) => { readonly [name: string]: string }
  /** Below the base URL, by GET: what costs nothing and needs the key. */
  readonly test_path: string
  readonly judge?: typeof verdictOf
}

/** A service at one address whose requests carry one key in their headers. */
export const apiKeyType = ({ type, title, doc, base_url, key, headers, test_path, judge = verdictOf }: ApiKeyService): IntegrationType =>
  defineType({
    type,
    title,
    doc,
    config: Type.Object({ base_url: BaseUrl(base_url), allowed_hosts: Type.Optional(AllowedHosts) }),
    credentials: Type.Object({ api_key: SecretField(key) }),
    hosts: originsOf,
    sign: (_, { api_key }) => ({ headers: headers(api_key) }),
    test: (io, config, { api_key }) => call(io, { url: below(config.base_url, test_path), headers: headers(api_key) }, judge),
  })

export const bearer = (api_key: string): { readonly authorization: string } => ({ authorization: `Bearer ${api_key}` })
