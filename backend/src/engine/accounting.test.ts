import { DecodeReason } from '@netspectra/collector/decode';
import { Layer, PacketBatch } from '@netspectra/proto';
import { expect, it } from 'vitest';
import { Accounting, mergeAccounting } from './accounting.js';
import { createSelection } from './packet-selection.js';

const batch = new PacketBatch(8, 0);
function count(
  accounting: Accounting,
  rows: { layers: number; reason?: number; seconds?: number; wire?: number }[],
): void {
  rows.forEach(({ layers, reason = DecodeReason.Ok, seconds = 5, wire = 100 }, row) => {
    batch.layers[row] = layers;
    batch.reason[row] = reason;
    batch.timestampSeconds[row] = seconds;
    batch.wireLength[row] = wire;
    batch.capturedLength[row] = wire - 40;
  });
  const selection = createSelection(batch, rows.length);
  selection.rows.set(rows.map((_, row) => row));
  selection.count = rows.length;
  accounting.count(selection);
}

it('counts packets, bytes and layers, and starts over after they are taken', () => {
  const accounting = new Accounting();
  count(accounting, [
    { layers: Layer.Ipv4 | Layer.Tcp, seconds: 9 },
    { layers: Layer.Ipv6 | Layer.Ipv4 | Layer.Udp, seconds: 3, wire: 70 },
    { layers: Layer.Arp | Layer.NoTimestamp, seconds: 1 },
  ]);
  const report = accounting.take();
  expect(report).toMatchObject({ packets: 3, bytes: 270, capturedBytes: 150, undecodable: 0, badPackets: 0 });
  expect(report.first!.seconds).toBe(3);
  expect(report.last!.seconds).toBe(9);
  expect(report.protocols['ipv4']).toEqual({ packets: 2, bytes: 170 });
  expect(accounting.take()).toMatchObject({ packets: 0, bytes: 0, first: null, protocols: {} });
  expect(mergeAccounting([report, report])).toMatchObject({
    packets: 6,
    protocols: { udp: { packets: 2, bytes: 140 } },
  });
});

it('calls a packet bad when its own bytes are wrong, not when the capture cut it or its link type is foreign', () => {
  const wrong = 7;
  expect([DecodeReason.Ok, DecodeReason.UnsupportedLinkType, DecodeReason.TooManyLayers]).not.toContain(wrong);
  const accounting = new Accounting();
  count(accounting, [
    { layers: Layer.Ipv4, reason: wrong },
    { layers: Layer.Ipv4 | Layer.Truncated, reason: wrong },
    { layers: 0, reason: DecodeReason.UnsupportedLinkType },
    { layers: 0, reason: DecodeReason.TooManyLayers },
    { layers: 0 },
  ]);
  const report = accounting.take();
  expect(report).toMatchObject({ undecodable: 4, badPackets: 1 });
  expect(mergeAccounting([report, report])).toMatchObject({ undecodable: 8, badPackets: 2 });
});
