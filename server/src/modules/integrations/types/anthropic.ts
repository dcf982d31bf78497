import { apiKeyType } from './api-key.ts'

export const anthropic = apiKeyType({
  type: 'anthropic',
  title: 'Anthropic',
  doc: 'A key from the API keys page of the console.',
  base_url: 'https://api.anthropic.com',
  key: 'Begins with `sk-ant-`.',
  headers: (api_key) => ({ 'x-api-key': api_key, 'anthropic-version': '2023-06-01' }),
  test_path: '/v1/models?limit=1',
})
