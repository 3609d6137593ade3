/**
 * How a flow's record lies in the flow table's typed arrays: word offsets, state bits, and what can be done with a record
 * wherever it lies. The hot record is 32 words, two cache lines: key, counters, TCP positions. The cold one is 16 words
 * that only TCP events touch. float64 counters stand at even words and are read through a Float64Array on the same bytes.
 */

/** Words of the hot record. */
export const client = 0; // 4 words
export const server = 4; // 4 words
export const ports = 8; // client | server << 16
export const meta = 9; // protocol | tunnelType << 8 | state << 16
export const vlans = 10; // vlan | innerVlan << 16
export const windowStart = 11;
export const lastSeconds = 12;
export const lastNanoseconds = 13;
export const clientNext = 14; // TCP sequence number after the client's highest byte
export const serverNext = 15;
export const clientBytes = 16; // float64
export const serverBytes = 18; // float64
export const clientPackets = 20; // float64
export const serverPackets = 22; // float64
export const tcpFlags = 24; // client | server << 16
export const rtt = 25; // nanoseconds, 0 = not measured
export const firstSeconds = 26;
export const firstNanoseconds = 27;
export const idHigh = 28;
export const idLow = 29;
export const tunnelId = 30;
export const misc = 31; // trafficClass | icmpType << 8 | icmpCode << 16
export const hotWords = 32;

/** Words of the cold record; the client's word is followed by the server's. */
export const synSeconds = 0;
export const synNanoseconds = 1;
export const clientRetransmissions = 2;
export const clientOutOfOrder = 4;
export const clientZeroWindows = 6;
export const serverZeroWindows = 7;
export const clientHoleStart = 8;
export const clientHoleEnd = 10;
export const clientHoleTime = 12; // milliseconds, wraps; when the hole was noticed
export const generationWord = 14;
export const expectedAck = 15; // acknowledgment number that ends the handshake
export const coldWords = 16;

/** State bits, in the upper half of `meta`. */
export const SawSyn = 1 << 16;
export const SawSynAck = 1 << 17;
export const ClientFin = 1 << 18;
export const ServerFin = 1 << 19;
export const Closed = 1 << 20;
export const ClientSeen = 1 << 21;
export const ServerSeen = 1 << 22;
export const NewInRow = 1 << 23;
export const HandshakeDone = 1 << 24;
/** a packet with its TCP or UDP layer was seen, so the 5-tuple is a conversation */
export const IsConversation = 1 << 25;
export const ClientHole = 1 << 26;
export const ServerHole = 1 << 27;
/** collects flows that had to be given up */
export const IsOther = 1 << 28;
export const InUse = 1 << 29;
/** a packet with ports was seen, so that 0 is a port number and not the lack of one */
export const WithPorts = 1 << 30;

/** The key's hash in a record of `exportForeign`. */
export const hashOfRecord = (record: Uint32Array): number => record[idLow]!;

/** Client and server of a record change places. */
export function swapRecord(hot: Uint32Array, record: number, cold: Uint32Array, low: number): void {
  const exchange = (array: Uint32Array, at: number, width: number): void => {
    for (let i = 0; i < width; i += 1) {
      const kept = array[at + i]!;
      array[at + i] = array[at + width + i]!;
      array[at + width + i] = kept;
    }
  };
  exchange(hot, record + client, 4);
  exchange(hot, record + clientNext, 1);
  exchange(hot, record + clientBytes, 2);
  exchange(hot, record + clientPackets, 2);
  for (let word = clientRetransmissions; word <= clientHoleTime; word += 2) exchange(cold, low + word, 1);
  hot[record + ports] = swapHalves(hot[record + ports]!);
  hot[record + tcpFlags] = swapHalves(hot[record + tcpFlags]!);
  const state = hot[record + meta]!;
  const client16 = ClientSeen | ClientFin | ClientHole;
  let turned = state & ~(client16 | ServerSeen | ServerFin | ServerHole);
  if (state & ClientSeen) turned |= ServerSeen;
  if (state & ServerSeen) turned |= ClientSeen;
  if (state & ClientFin) turned |= ServerFin;
  if (state & ServerFin) turned |= ClientFin;
  if (state & ClientHole) turned |= ServerHole;
  if (state & ServerHole) turned |= ClientHole;
  hot[record + meta] = turned;
}

const swapHalves = (value: number): number => ((value >>> 16) | (value << 16)) >>> 0;
