/** All dashboards, by the name of their file. */
import type { Dashboard } from '@grafana/schema';
import { dns } from './dns.js';
import { flows } from './flows.js';
import { host } from './host.js';
import { overview } from './overview.js';
import { pipeline } from './pipeline.js';
import { protocols } from './protocols.js';
import { security } from './security.js';
import { talkers } from './talkers.js';
import { tcp } from './tcp.js';
import { web } from './web.js';

export const dashboards: Readonly<Record<string, Dashboard>> = {
  'traffic-overview.json': overview,
  'top-talkers.json': talkers,
  'host-detail.json': host,
  'protocols.json': protocols,
  'dns.json': dns,
  'http-tls.json': web,
  'tcp-health.json': tcp,
  'security.json': security,
  'flow-records.json': flows,
  'pipeline-health.json': pipeline,
};
