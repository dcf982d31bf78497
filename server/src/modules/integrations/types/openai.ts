import { apiKeyType, bearer } from './api-key.ts'

export const openai = apiKeyType({
  type: 'openai',
  title: 'OpenAI',
  doc: 'A key from the API keys page of the platform. It needs to list models.',
  base_url: 'https://api.openai.com/v1',
  key: 'Begins with `sk-`.',
  headers: bearer,
  test_path: '/models',
})
