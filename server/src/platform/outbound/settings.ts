import { defineSettings } from '../config.ts'

export const settings = defineSettings({
  outbound_allow: {
    type: 'list',
    env: 'MILLRACE_OUTBOUND_ALLOW',
    default: [],
    doc:
      'Hosts and networks that requests to foreign addresses may reach although they are not public: `intranet.example`, ' +
      '`*.svc.example`, `localhost:9000`, `10.20.0.0/16`, `192.168.1.7:8080`, `[::1]:8080`.',
  },
})
