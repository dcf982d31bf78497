import { apiKeyType } from './api-key.ts'

export const assemblyai = apiKeyType({
  type: 'assemblyai',
  title: 'AssemblyAI',
  doc: 'A key from the API keys page of the dashboard.',
  base_url: 'https://api.assemblyai.com',
  key: 'As the dashboard shows it.',
  headers: (api_key) => ({ authorization: api_key }),
  test_path: '/v2/transcript?limit=1',
})
