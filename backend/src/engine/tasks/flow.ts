/**
 * Task `flow`: flow records. The flow table itself is kept by the worker, because every task needs to know a packet's
 * flow; this task turns its records into rows, and the biggest of them into an analysis.
 */
import { tunnelTypeNames } from '@netspectra/proto';
import { Type } from '@sinclair/typebox';
import { addressText } from '../address-text.js';
import { applicationCode, applicationName } from '../application-name.js';
import type { FlowTable } from '../flow-table/index.js';
import { defineTask } from '../task.js';
import type { RowSink, RowWriter } from '../row-sink.js';

/** A flow of an analysis. Times are seconds and nanoseconds since the epoch. */
export interface FlowReport {
  client: string;
  clientPort: number;
  server: string;
  serverPort: number;
  protocol: number;
  vlan: number;
  clientPackets: number;
  clientBytes: number;
  serverPackets: number;
  serverBytes: number;
  firstSeconds: number;
  firstNanoseconds: number;
  lastSeconds: number;
  lastNanoseconds: number;
  rttNanoseconds: number;
  retransmissions: number;
  tcpFlags: number;
  application: string;
}

export interface FlowTaskReport {
  /** the biggest by bytes, biggest first */
  flows: FlowReport[];
  /** flows in the table */
  count: number;
  foldedFlows: number;
}

const bytesOf = (flow: FlowReport): number => flow.clientBytes + flow.serverBytes;
/** By bytes, then by a key, so that the order does not depend on how the work was shared out. */
const compareFlows = (a: FlowReport, b: FlowReport): number =>
  bytesOf(b) - bytesOf(a) || (flowKey(a) < flowKey(b) ? -1 : 1);
const flowKey = (flow: FlowReport): string =>
  `${flow.client} ${flow.clientPort} ${flow.server} ${flow.serverPort} ${flow.protocol} ${flow.vlan}`;

export const flowTask = defineTask({
  type: 'flow',
  schema: Type.Object({}, { additionalProperties: false, description: 'flow records, one row a flow and window' }),
  create(_options, context) {
    const { flowTable, rows, flowWindowSeconds, reportTop } = context;
    if (context.windows) flowTable.onRow = (flow, reason) => writeRow(rows, flowTable, flow, reason, flowWindowSeconds);
    return {
      process() {},
      flush() {}, // the worker has the flow table write its records out before it asks the tasks
      finish() {},
      report: (): FlowTaskReport => ({
        flows: biggest(flowTable, reportTop),
        count: flowTable.live,
        foldedFlows: flowTable.foldedFlows,
      }),
    };
  },
  merge: (reports): FlowTaskReport => ({
    flows: reports.flatMap((report) => report.flows).sort(compareFlows),
    count: reports.reduce((sum, report) => sum + report.count, 0),
    foldedFlows: reports.reduce((sum, report) => sum + report.foldedFlows, 0),
  }),
});

function codeOf(table: FlowTable, flow: number): number {
  return applicationCode(table.application[flow]!, table.serverPort(flow), table.clientPort(flow));
}

function writeRow(rows: RowSink, table: FlowTable, flow: number, reason: number, windowSeconds: number): void {
  const row = rows.table('flows');
  row.begin();
  writeKey(row, table, flow, windowSeconds);
  writeCounters(row, table, flow);
  row.time(table.firstSeconds(flow), table.firstNanoseconds(flow));
  row.time(table.lastSeconds(flow), table.lastNanoseconds(flow));
  row.number(table.clientTcpFlags(flow));
  row.number(table.serverTcpFlags(flow));
  row.number(table.rttNanoseconds(flow));
  row.number(table.retransmissions(flow, 0));
  row.number(table.retransmissions(flow, 1));
  row.number(table.outOfOrder(flow, 0));
  row.number(table.outOfOrder(flow, 1));
  row.number(table.zeroWindows(flow, 0));
  row.number(table.zeroWindows(flow, 1));
  row.number(table.trafficClass(flow));
  row.number(table.icmpType(flow));
  row.number(table.icmpCode(flow));
  row.number(table.isNew(flow) ? 1 : 0);
  row.number(reason);
  row.zeros(countedColumns);
  row.places(table.addressBytes, table.clientAddressOffset(flow), table.serverAddressOffset(flow));
  row.end();
}

const countedColumns = 4;
const tcpColumns = 9;

/** A row of packets that another probe has brought already: it says how many, and adds nothing else. */
export function writeDuplicateRow(
  rows: RowSink,
  table: FlowTable,
  flow: number,
  reason: number,
  windowSeconds: number,
): void {
  const row = rows.table('flows');
  row.begin();
  writeKey(row, table, flow, windowSeconds);
  row.zeros(countedColumns);
  row.time(table.firstSeconds(flow), table.firstNanoseconds(flow));
  row.time(table.lastSeconds(flow), table.lastNanoseconds(flow));
  row.zeros(tcpColumns);
  row.number(table.trafficClass(flow));
  row.number(table.icmpType(flow));
  row.number(table.icmpCode(flow));
  row.number(0);
  row.number(reason);
  writeCounters(row, table, flow);
  row.places(table.addressBytes, table.clientAddressOffset(flow), table.serverAddressOffset(flow));
  row.end();
}

function writeKey(row: RowWriter, table: FlowTable, flow: number, windowSeconds: number): void {
  row.number(table.windowStart(flow));
  row.number(windowSeconds);
  row.number64(table.idHigh(flow), table.idLow(flow));
  row.address(table.addressBytes, table.clientAddressOffset(flow));
  row.address(table.addressBytes, table.serverAddressOffset(flow));
  row.number(table.clientPort(flow));
  row.number(table.serverPort(flow));
  row.number(table.protocol(flow));
  row.number(table.vlan(flow));
  row.number(table.innerVlan(flow));
  row.text(tunnelTypeNames[table.tunnelType(flow)] ?? '');
  row.number(table.tunnelId(flow));
  row.text(table.isOther(flow) ? 'other' : applicationName(codeOf(table, flow)));
}

function writeCounters(row: RowWriter, table: FlowTable, flow: number): void {
  row.number(table.clientPackets(flow));
  row.number(table.clientBytes(flow));
  row.number(table.serverPackets(flow));
  row.number(table.serverBytes(flow));
}

/** The `count` flows with the most bytes; one pass with a bound that rises, then a sort of what is left. */
function biggest(table: FlowTable, count: number): FlowReport[] {
  let candidates: number[] = [];
  let bound = -1;
  const bytes = (flow: number): number => table.clientBytes(flow) + table.serverBytes(flow);
  const prune = (): void => {
    candidates.sort((a, b) => bytes(b) - bytes(a));
    if (candidates.length <= count) return;
    bound = bytes(candidates[count - 1]!);
    // Equals of the last one stay: their order is decided by key.
    candidates = candidates.filter((flow, i) => i < count || bytes(flow) === bound).slice(0, count * 8);
  };
  for (let flow = 0; flow < table.slots; flow += 1) {
    if (!table.hasPackets(flow) || table.isOther(flow) || bytes(flow) < bound) continue;
    candidates.push(flow);
    if (candidates.length >= count * 16 + 1024) prune();
  }
  prune();
  return candidates
    .map((flow) => describe(table, flow))
    .sort(compareFlows)
    .slice(0, count);
}

function describe(table: FlowTable, flow: number): FlowReport {
  return {
    client: addressText(table.addressBytes, table.clientAddressOffset(flow)),
    clientPort: table.clientPort(flow),
    server: addressText(table.addressBytes, table.serverAddressOffset(flow)),
    serverPort: table.serverPort(flow),
    protocol: table.protocol(flow),
    vlan: table.vlan(flow),
    clientPackets: table.clientPackets(flow),
    clientBytes: table.clientBytes(flow),
    serverPackets: table.serverPackets(flow),
    serverBytes: table.serverBytes(flow),
    firstSeconds: table.firstSeconds(flow),
    firstNanoseconds: table.firstNanoseconds(flow),
    lastSeconds: table.lastSeconds(flow),
    lastNanoseconds: table.lastNanoseconds(flow),
    rttNanoseconds: table.rttNanoseconds(flow),
    retransmissions: table.retransmissions(flow, 0) + table.retransmissions(flow, 1),
    tcpFlags: table.clientTcpFlags(flow) | table.serverTcpFlags(flow),
    application: applicationName(codeOf(table, flow)),
  };
}
