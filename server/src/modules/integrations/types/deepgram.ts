import { apiKeyType } from './api-key.ts'

export const deepgram = apiKeyType({
  type: 'deepgram',
  title: 'Deepgram',
  doc: 'A key from the API keys page of a project.',
  base_url: 'https://api.deepgram.com',
  key: 'As the console shows it once.',
  headers: (api_key) => ({ authorization: `Token ${api_key}` }),
  test_path: '/v1/projects',
})
