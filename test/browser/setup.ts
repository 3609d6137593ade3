/** Started once for all specs: what they need that is not there already. */
import { startHost } from './server/start.js';

/** Names of what the setup tells the specs. */
export const hostUrlVariable = 'BROWSER_TEST_HOST';

export default async function setup(): Promise<() => Promise<void>> {
  const host = await startHost();
  process.env[hostUrlVariable] = host.url;
  return () => host.stop();
}
