import { Type } from 'typebox'
import { defineType, UrlField, below } from '../type.ts'
import { signAws } from '../sigv4.ts'
import { call } from '../verdict.ts'
import { AwsCredentials, Region } from './aws.ts'

export const s3 = defineType({
  type: 's3',
  title: 'S3',
  doc: 'A bucket of S3 or of a store that speaks like it. The key needs to list the bucket for the test.',
  config: Type.Object({
    bucket: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' }),
    region: Region,
    base_url: Type.Optional(UrlField('Of a store other than S3 itself: `https://minio.example.com`.')),
  }),
  credentials: Type.Object(AwsCredentials),
  hosts: () => [],
  elsewhere: ({ base_url }) => [base_url ?? 'aws'],
  test: (io, { bucket, region, base_url }, keys) => {
    const url = new URL(below(base_url ?? `https://s3.${region}.amazonaws.com`, `/${bucket}?list-type=2&max-keys=1`))
    const headers = signAws({ method: 'GET', url }, keys, { region, service: 's3', now: io.app.now() })
    return call(io, { url: url.href, headers })
  },
})
