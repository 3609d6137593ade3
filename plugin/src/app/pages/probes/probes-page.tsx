/** Probes and engines: what captures and what computes, how far they are, and what they lost. */
import { PluginPage } from '@grafana/runtime';
import type { Column } from '@grafana/ui';
import { EmptyState, InteractiveTable, Stack, Text } from '@grafana/ui';
import { useCallback } from 'react';
import type { Engine, Probe, ProbeSource } from '../../../datasource/resources/probes.js';
import { bytesText, countText, secondsText, shareText, timeText } from '../../shared/format.js';
import { Muted } from '../../shared/muted.js';
import { PageState } from '../../shared/page-state.js';
import { askPipeline } from '../../shared/pipeline.js';
import { useSourceUid } from '../../shared/source.js';
import { useData } from '../../shared/use-data.js';

const pollMs = 10_000;

export function ProbesPage() {
  const uid = useSourceUid();
  const loaded = useData(
    useCallback(() => askPipeline(uid), [uid]),
    pollMs,
  );
  return (
    <PluginPage subTitle="What captures and what computes, how far each of them is, and what was lost on the way">
      <PageState loaded={loaded} what="probes and engines">
        {({ probes, engines }) => (
          <Stack direction="column" gap={3}>
            <section aria-labelledby="probes">
              <Text element="h2" variant="h4">
                <span id="probes">Probes</span>
              </Text>
              {probes.length === 0 ? (
                <EmptyState variant="not-found" message="No probe has sent anything yet">
                  Read a capture file with netspectra up --read FILE; - is standard input.
                </EmptyState>
              ) : (
                <InteractiveTable
                  columns={probeColumns}
                  data={[...probes]}
                  getRowId={({ id }) => id}
                  pageSize={25}
                  renderExpandedRow={(probe) => <Sources probe={probe} />}
                />
              )}
            </section>
            <section aria-labelledby="engines">
              <Text element="h2" variant="h4">
                <span id="engines">Engines</span>
              </Text>
              {engines.length === 0 ? (
                <Muted>None runs in the process of this API.</Muted>
              ) : (
                <InteractiveTable columns={engineColumns} data={[...engines]} getRowId={({ id }) => id} pageSize={25} />
              )}
            </section>
          </Stack>
        )}
      </PageState>
    </PluginPage>
  );
}

type Cell<T extends object> = { readonly row: { readonly original: T } };
const seen = ({ packets, drops }: Probe): number => packets + drops.kernel;

const probeColumns: Column<Probe>[] = [
  { id: 'id', header: 'Probe', sortType: 'string' },
  {
    id: 'packets',
    header: 'Packets',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Probe>) => countText(original.packets),
  },
  {
    id: 'bytes',
    header: 'Bytes',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Probe>) => bytesText(original.bytes),
  },
  {
    id: 'dropped',
    header: 'Dropped by the kernel',
    cell: ({ row: { original } }: Cell<Probe>) => shareText(original.drops.kernel, seen(original)),
  },
  {
    id: 'undecodable',
    header: 'Not decoded',
    cell: ({ row: { original } }: Cell<Probe>) => shareText(original.drops.undecodable, original.packets),
  },
  {
    id: 'filtered',
    header: 'Left out',
    cell: ({ row: { original } }: Cell<Probe>) => countText(original.drops.filtered),
  },
  {
    id: 'flows_live',
    header: 'Live flows',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Probe>) => countText(original.flows_live),
  },
  {
    id: 'last_packet',
    header: 'Latest packet',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Probe>) => timeText(original.last_packet),
  },
];

const engineColumns: Column<Engine>[] = [
  { id: 'id', header: 'Engine', sortType: 'string' },
  { id: 'state', header: 'State', sortType: 'string' },
  { id: 'source', header: 'Reads', cell: ({ row: { original } }: Cell<Engine>) => original.source ?? '–' },
  { id: 'workers', header: 'Threads', sortType: 'number' },
  {
    id: 'packets_stored',
    header: 'Packets stored',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Engine>) => countText(original.packets_stored),
  },
  {
    id: 'flows_live',
    header: 'Live flows',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Engine>) => countText(original.flows_live),
  },
  {
    id: 'memory_bytes',
    header: 'Memory',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Engine>) => bytesText(original.memory_bytes),
  },
  {
    id: 'lag_seconds',
    header: 'Behind the clock',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<Engine>) =>
      original.lag_seconds === null ? '–' : secondsText(original.lag_seconds),
  },
  { id: 'limits', header: 'Limits met', cell: ({ row: { original } }: Cell<Engine>) => reasonsText(original.limits) },
];

const sourceColumns: Column<ProbeSource>[] = [
  { id: 'source', header: 'Source', sortType: 'string' },
  {
    id: 'complete',
    header: 'State',
    cell: ({ row: { original } }: Cell<ProbeSource>) => (original.complete ? 'Read to its end' : 'Going on'),
  },
  {
    id: 'packets',
    header: 'Packets',
    sortType: 'number',
    cell: ({ row: { original } }: Cell<ProbeSource>) => countText(original.packets),
  },
  {
    id: 'first_packet',
    header: 'First packet',
    cell: ({ row: { original } }: Cell<ProbeSource>) => timeText(original.first_packet),
  },
  {
    id: 'last_packet',
    header: 'Latest packet',
    cell: ({ row: { original } }: Cell<ProbeSource>) => timeText(original.last_packet),
  },
];

function Sources({ probe }: { readonly probe: Probe }) {
  return (
    <Stack direction="column" gap={1}>
      <Muted>
        Not decoded: {reasonsText(probe.undecodable_reasons)}. Late packets: {countText(probe.late_packets)}. Flows
        folded: {countText(probe.flows_folded)}.
      </Muted>
      <InteractiveTable columns={sourceColumns} data={[...probe.sources]} getRowId={({ epoch }) => epoch} />
    </Stack>
  );
}

/** `truncated 12, unknown_link 3`; a dash for none. */
function reasonsText(reasons: Readonly<Record<string, number>>): string {
  const met = Object.entries(reasons).filter(([, count]) => count > 0);
  return met.length === 0
    ? '–'
    : met.map(([name, count]) => `${name.replaceAll('_', ' ')} ${countText(count)}`).join(', ');
}
