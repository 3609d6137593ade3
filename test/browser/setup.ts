/**
 * Started once for all specs: an API with captures, and the host page before it; before a real Grafana (GRAFANA_URL) the API
 * alone, unless GRAFANA_NETSPECTRA_URL says where one is that Grafana reaches.
 */
import { startApi, startHost } from './server/start.js';

/** What the setup tells the specs. */
export const hostUrlVariable = 'BROWSER_TEST_HOST';
export const apiUrlVariable = 'BROWSER_TEST_API';

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['GRAFANA_NETSPECTRA_URL'];
  const hasGrafana = process.env['GRAFANA_URL'] !== undefined;
  if (hasGrafana && given !== undefined) {
    process.env[apiUrlVariable] = given;
    return undefined;
  }
  const running = await (hasGrafana ? startApi() : startHost());
  process.env[hostUrlVariable] = running.url;
  process.env[apiUrlVariable] = running.apiUrl;
  return () => running.stop();
}
