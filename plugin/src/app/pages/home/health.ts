/** The pipeline's health in a few lines, and what a new user does first. */
import type { Engine, Probe } from '../../../datasource/resources/probes.js';
import { countText, secondsText, shareText } from '../../shared/format.js';
import { pages } from '../../shared/ids.js';
import type { ExplorerView } from '../../shared/links.js';
import type { Status } from '../../shared/status.js';

export interface Health {
  readonly name: string;
  readonly level: 'good' | 'warning' | 'bad' | 'unknown';
  readonly detail: string;
  readonly href?: string;
}

/** A drop of more than one packet in a hundred thousand is worth a look. */
const dropShareMax = 1e-5;
/** What comes later than this is not live any more. */
const lagSecondsMax = 30;

/** API and stores, probes, capture loss, engines. */
export function healthOf(status: Status, probes: readonly Probe[], engines: readonly Engine[]): Health[] {
  const api: Health = status.reachable
    ? {
        name: 'API',
        level: status.ready ? 'good' : 'bad',
        detail: status.ready ? 'Answers, and so do its stores' : 'Answers, but is not ready',
      }
    : { name: 'API', level: 'bad', detail: 'Does not answer' };
  const broken = (status.dependencies ?? []).filter(({ ok }) => !ok);
  const stores = broken.map(({ name, detail }): Health => ({ name, level: 'bad', detail }));
  if (!status.ready) return [api, ...stores];
  return [api, ...stores, probesHealth(probes), dropsHealth(probes), enginesHealth(engines)];
}

function probesHealth(probes: readonly Probe[]): Health {
  const name = 'Probes';
  if (probes.length === 0) return { name, level: 'unknown', detail: 'None has sent anything yet', href: pages.probes };
  const names = probes.length === 1 ? 'One probe' : `${probes.length} probes`;
  const packets = probes.reduce((sum, { packets: each }) => sum + each, 0);
  return { name, level: 'good', detail: `${names}, ${countText(packets)} packets in all`, href: pages.probes };
}

function dropsHealth(probes: readonly Probe[]): Health {
  const name = 'Capture loss';
  const sum = (pick: (probe: Probe) => number): number => probes.reduce((all, probe) => all + pick(probe), 0);
  const seen = sum(({ packets }) => packets);
  const lost = sum(({ drops }) => drops.kernel);
  const folded = sum(({ flows_folded }) => flows_folded);
  if (seen + lost === 0) return { name, level: 'unknown', detail: 'Nothing was captured yet' };
  const detail = `${shareText(lost, seen + lost)} of packets dropped by the kernel, ${countText(folded)} flows folded`;
  return {
    name,
    level: lost / (seen + lost) > dropShareMax || folded > 0 ? 'warning' : 'good',
    detail,
    href: pages.probes,
  };
}

function enginesHealth(engines: readonly Engine[]): Health {
  const name = 'Engines';
  if (engines.length === 0) return { name, level: 'unknown', detail: 'None runs in the process of this API' };
  const reading = engines.filter(({ state }) => state === 'reading');
  const late = reading.filter(({ source, lag_seconds: lag }) => isLive(source) && lag !== null && lag > lagSecondsMax);
  const behind = Math.max(0, ...late.map(({ lag_seconds: lag }) => lag ?? 0));
  if (late.length > 0)
    return { name, level: 'warning', detail: `Up to ${secondsText(behind)} behind`, href: pages.probes };
  return {
    name,
    level: 'good',
    detail: reading.length > 0 ? `${reading.length} reading` : 'Idle: all is read',
    href: pages.probes,
  };
}

/** A capture file is of the past; its lag says nothing. */
const isLive = (source: string | null): boolean => source !== null && !/[/.]/.test(source);

const hourMs = 3_600_000;
const minuteMs = 60_000;

/**
 * Where the explorer begins when the latest traffic is older than the hour that it opens on, as after a capture file was read:
 * that traffic's hour. Nothing otherwise. Times in milliseconds since 1970.
 */
export function latestRange(watermark: number | null | undefined, now: number): { from?: number; to?: number } {
  if (watermark === null || watermark === undefined || watermark > now - hourMs) return {};
  const to = Math.ceil(watermark / minuteMs) * minuteMs;
  return { from: to - hourMs, to };
}

/** Ways into the traffic. */
export const views: readonly { readonly view: ExplorerView; readonly title: string; readonly text: string }[] = [
  { view: 'overview', title: 'All traffic', text: 'By application, who sends and who receives, ports of servers' },
  { view: 'graph', title: 'Who talks to whom', text: 'Hosts and the traffic between them as a graph' },
  { view: 'changes', title: 'What changed', text: 'Which values account for more or less traffic than before' },
  { view: 'flows', title: 'Flow records', text: 'Single flows, with times, sizes and ends' },
];

export interface Step {
  readonly title: string;
  readonly text: string;
  readonly done: boolean;
  readonly href?: string;
  readonly action?: string;
}

/** From nothing to traffic on the screen. */
export function firstSteps(status: Status, probes: readonly Probe[], uid: string): Step[] {
  return [
    {
      title: 'Connect to the API',
      text: 'The datasource needs the URL of a NetSpectra API, and a token where the API asks for one.',
      done: status.ready,
      href: `/connections/datasources/edit/${encodeURIComponent(uid)}`,
      action: 'Open the datasource',
    },
    {
      title: 'Bring in traffic',
      text: 'Read a capture file: netspectra up --read capture.pcap, or what another program captures: tcpdump -U -w - | netspectra up --read -',
      done: probes.length > 0,
    },
    {
      title: 'Look around',
      text: 'The explorer shows who talks to whom, down to single flows. It opens on the last hour; choose the time of your capture.',
      done: probes.length > 0,
      href: pages.explorer,
      action: 'Open the explorer',
    },
  ];
}
