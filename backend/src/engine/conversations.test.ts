import { flowHash } from '@netspectra/collector/decode';
import { PacketBatch } from '@netspectra/proto';
import { expect, it } from 'vitest';
import { Conversations, hashOfTuple } from './conversations.js';
import { FlowTable } from './flow-table/index.js';

const udp = 17;
const empty = new FlowTable({ maxFlows: 1024, windowSeconds: 0, idleTimeoutSeconds: 0 });

/** A batch whose enclosing 5-tuples are these: host and port, host and port. */
function enclosing(...tuples: [number, number, number, number][]): PacketBatch {
  const batch = new PacketBatch(1, 16);
  tuples.forEach(([from, fromPort, to, toPort], i) => {
    batch.outerSourceAddress.set([0, 0, 0, from], i * 4);
    batch.outerDestinationAddress.set([0, 0, 0, to], i * 4);
    batch.outerSourcePort[i] = fromPort;
    batch.outerDestinationPort[i] = toPort;
    batch.outerProtocol[i] = udp;
    batch.outerHash[i] = flowHash(0, 0, 0, from, 0, 0, 0, to, fromPort, toPort, udp);
  });
  batch.outerCount = tuples.length;
  return batch;
}

it('counts an enclosing conversation once, whichever way its packets go', () => {
  const conversations = new Conversations(100);
  conversations.count(enclosing([1, 4789, 2, 4789], [2, 4789, 1, 4789], [1, 9, 2, 4789]), () => true, false);
  expect(conversations.report(empty)).toEqual({ tcp: 0, udp: 2 });
});

it('hands what others own to them, once, where it meets what they have', () => {
  const [here, there] = [new Conversations(100), new Conversations(100)];
  const batch = enclosing([1, 2152, 2, 2152], [2, 2152, 1, 2152], [3, 2152, 4, 2152]);
  here.count(batch, () => false, true);
  there.count(enclosing([2, 2152, 1, 2152]), () => true, false);
  expect(here.report(empty)).toEqual({ tcp: 0, udp: 0 });
  const moved = here.exportForeign();
  expect(moved.map(hashOfTuple).sort()).toEqual([batch.outerHash[0]!, batch.outerHash[2]!].sort());
  for (const key of moved) there.absorb(key);
  expect(there.report(empty)).toEqual({ tcp: 0, udp: 2 });
});
