import { Type } from 'typebox'
import { defineType, SecretField, type TestIo, UrlField } from '../type.ts'
import { signAws } from '../sigv4.ts'
import { call } from '../verdict.ts'

export const Region = Type.String({ pattern: '^[a-z0-9-]{1,30}$', description: '`eu-central-1`' })
export const AwsCredentials = {
  access_key_id: SecretField('Begins with `AKIA`, or `ASIA` when it is temporary.'),
  secret_access_key: SecretField('As it was shown once.'),
  session_token: Type.Optional(SecretField('Of temporary credentials.')),
}

const body = 'Action=GetCallerIdentity&Version=2011-06-15'
const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }

export const aws = defineType({
  type: 'aws',
  title: 'AWS',
  doc: 'An access key of an IAM user. The test asks whose it is (GetCallerIdentity), which needs no permission.',
  config: Type.Object({
    region: Region,
    base_url: Type.Optional(UrlField('Of the Security Token Service, when it is not that of the region.')),
  }),
  credentials: Type.Object(AwsCredentials),
  hosts: () => [],
  elsewhere: ({ base_url }) => [base_url ?? 'aws'],
  test: (io: TestIo, { region, base_url }, keys) => {
    const url = new URL(base_url ?? `https://sts.${region}.amazonaws.com/`)
    const signed = signAws({ method: 'POST', url, headers, body }, keys, { region, service: 'sts', now: io.app.now() })
    return call(io, { method: 'POST', url: url.href, headers: signed, body })
  },
})
