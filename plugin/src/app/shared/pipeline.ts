/** Who captures and who reckons. */
import type { Engine, Probe } from '../../datasource/resources/probes.js';
import { callResource } from './resources.js';

export interface Pipeline {
  readonly probes: readonly Probe[];
  readonly engines: readonly Engine[];
}

/** All probes, and the engines of the API's process. Rejects with a ResourceError. */
export async function askPipeline(uid: string): Promise<Pipeline> {
  const [{ probes }, { engines }] = await Promise.all([
    callResource<Pick<Pipeline, 'probes'>>(uid, 'probes'),
    callResource<Pick<Pipeline, 'engines'>>(uid, 'engines'),
  ]);
  return { probes, engines };
}
