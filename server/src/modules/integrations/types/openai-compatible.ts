import { Type } from 'typebox'
import { originsOf } from '../hosts.ts'
import { AllowedHosts, below, defineType, SecretField, UrlField } from '../type.ts'
import { call } from '../verdict.ts'
import { bearer } from './api-key.ts'

const headersOf = (api_key: string | undefined) => (api_key === undefined ? {} : bearer(api_key))

export const openaiCompatible = defineType({
  type: 'openai-compatible',
  title: 'OpenAI-compatible',
  doc: 'A server that speaks as OpenAI does: vLLM, Ollama, LiteLLM, a gateway. One in your own network has to be allowed by `MILLRACE_OUTBOUND_ALLOW`.',
  config: Type.Object({
    base_url: UrlField('With the version: `https://models.example.com/v1`.'),
    allowed_hosts: Type.Optional(AllowedHosts),
  }),
  credentials: Type.Object({ api_key: Type.Optional(SecretField('Where the server asks for one.')) }),
  hosts: originsOf,
  sign: (_, { api_key }) => ({ headers: headersOf(api_key) }),
  test: (io, { base_url }, { api_key }) => call(io, { url: below(base_url, '/models'), headers: headersOf(api_key) }),
})
