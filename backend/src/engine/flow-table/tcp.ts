/**
 * What a flow's TCP segments tell: who began, the round trip of the handshake (RFC 9293), which bytes were sent again, came out
 * of order or found no room, and when it is over.
 *
 * The record remembers, for each side, the highest byte seen and the last hole before it. So a segment behind the highest
 * byte is judged without a list of what was seen: it fills the hole, or it was sent again.
 */
import type { PacketBatch } from '@netspectra/proto';
import { PacketEvent } from '../packet-selection.js';
import {
  ClientFin,
  ClientHole,
  clientHoleEnd,
  clientHoleStart,
  clientHoleTime,
  clientNext,
  clientOutOfOrder,
  clientRetransmissions,
  ClientSeen,
  clientZeroWindows,
  Closed,
  coldWords,
  expectedAck,
  HandshakeDone,
  meta,
  rtt,
  SawSyn,
  SawSynAck,
  ServerFin,
  ServerHole,
  serverNext,
  ServerSeen,
  swapRecord,
  synNanoseconds,
  synSeconds,
} from './record.js';

/** Where the records are; the arrays are others after the table has grown. */
export interface TcpRecords {
  readonly hot: Uint32Array;
  readonly cold: Uint32Array;
  /** what every packet of the batch at hand stands for */
  readonly weight: number;
  /** The same 5-tuple begins anew: another flow, in the same slot. */
  reopen(slot: number, record: number, seconds: number, nanoseconds: number): void;
}

/** Event besides PacketEvent's: client and server changed places. */
export const swapped = 1 << 16;

export const tcpSyn = 2;
export const tcpAck = 16;
const tcpFin = 1;
const tcpRst = 4;

/**
 * tshark's rule of thumb, which people compare with: a segment that fills a hole within 3 ms after the hole showed was
 * only reordered; later it was sent again. The RTT is used instead when it is known and longer.
 */
const reorderMilliseconds = 3;

/**
 * Count a segment: positions, handshake and close.
 * @param sender 1 when the server sent it
 * @returns PacketEvent bits (and `swapped` when client and server changed places)
 */
export function trackTcp(
  records: TcpRecords,
  batch: PacketBatch,
  row: number,
  slot: number,
  record: number,
  sender: number,
  flags: number,
): number {
  const { hot, cold, weight } = records;
  const low = slot * coldWords;
  // Positions are signed 32-bit numbers throughout: all of them are machine integers then, whatever a sender begins with.
  const sequence = batch.tcpSequence[row]! | 0;
  const payload = batch.transportPayloadLength[row]!;
  const seconds = batch.timestampSeconds[row]!;
  const nanoseconds = batch.timestampNanoseconds[row]!;
  let state = hot[record + meta]!;
  let event = 0;
  let fromServer = sender;

  if (flags & tcpSyn) {
    if ((flags & tcpAck) === 0) {
      const again =
        (state & SawSyn) !== 0 && fromServer === 0 && ((hot[record + clientNext]! - sequence - 1) | 0) === payload;
      if (again) event |= PacketEvent.Retransmission;
      if ((state & (SawSyn | Closed)) !== 0 && !again && (state & (Closed | HandshakeDone)) !== 0) {
        records.reopen(slot, record, seconds, nanoseconds);
        state = hot[record + meta]!;
        event |= PacketEvent.Reopened;
      }
      if (fromServer === 1 && (state & SawSyn) === 0) {
        swapRecord(hot, record, cold, low);
        state = hot[record + meta]!;
        fromServer = 0;
        event |= swapped;
      }
      if (!again && (state & SawSyn) === 0) {
        cold[low + synSeconds] = seconds;
        cold[low + synNanoseconds] = nanoseconds;
      }
      state |= SawSyn;
    } else if (fromServer === 1) {
      if ((state & SawSynAck) !== 0 && ((hot[record + serverNext]! - sequence - 1) | 0) === payload) {
        event |= PacketEvent.Retransmission;
      }
      state |= SawSynAck;
      cold[low + expectedAck] = (sequence + 1) | 0;
    }
  } else if (
    (state & (SawSyn | SawSynAck | HandshakeDone)) === (SawSyn | SawSynAck) &&
    fromServer === 0 &&
    flags & tcpAck &&
    batch.tcpAcknowledgment[row] === cold[low + expectedAck]
  ) {
    // The client's ACK of the SYN-ACK: from SYN to here is one round trip as seen from anywhere on the path.
    state |= HandshakeDone;
    const elapsed = (seconds - cold[low + synSeconds]!) * 1e9 + (nanoseconds - cold[low + synNanoseconds]!);
    if (elapsed > 0) {
      hot[record + rtt] = Math.min(elapsed, 0xffffffff);
      event |= PacketEvent.RttMeasured;
    }
  }

  const length = payload + (flags & tcpSyn ? 1 : 0) + (flags & tcpFin ? 1 : 0);
  const nextWord = record + clientNext + fromServer;
  const end = (sequence + length) | 0;
  const seen = (state & (fromServer ? ServerSeen : ClientSeen)) !== 0 || (event & PacketEvent.Reopened) !== 0;
  if ((flags & tcpRst) === 0) {
    if (!seen || (event & PacketEvent.Reopened) !== 0) {
      hot[nextWord] = end;
    } else if (length > 0) {
      const next = hot[nextWord]! | 0;
      const gap = (sequence - next) | 0;
      const hole = fromServer ? ServerHole : ClientHole;
      if (gap > 0) {
        cold[low + clientHoleStart + fromServer] = state & hole ? cold[low + clientHoleStart + fromServer]! : next;
        cold[low + clientHoleEnd + fromServer] = sequence;
        cold[low + clientHoleTime + fromServer] = (seconds * 1000 + Math.floor(nanoseconds / 1e6)) >>> 0;
        state |= hole;
        hot[nextWord] = end;
      } else if (((end - next) | 0) > 0) {
        hot[nextWord] = end;
      } else if (
        (event & PacketEvent.Retransmission) === 0 &&
        !(payload <= 1 && ((sequence + 1 - next) | 0) === 0 && (flags & (tcpSyn | tcpFin)) === 0)
      ) {
        // All of it lies behind the highest byte seen (a keep-alive repeats at most one byte, and is none of these).
        const inHole =
          (state & hole) !== 0 &&
          ((sequence - cold[low + clientHoleStart + fromServer]!) | 0) >= 0 &&
          ((end - cold[low + clientHoleEnd + fromServer]!) | 0) <= 0;
        const now = (seconds * 1000 + Math.floor(nanoseconds / 1e6)) >>> 0;
        const since = (now - cold[low + clientHoleTime + fromServer]!) >>> 0;
        const reordering = Math.max(reorderMilliseconds, hot[record + rtt]! / 1e6);
        if (inHole && since <= reordering) {
          event |= PacketEvent.OutOfOrder;
          if (sequence === (cold[low + clientHoleStart + fromServer]! | 0)) {
            cold[low + clientHoleStart + fromServer] = end;
            if (end === (cold[low + clientHoleEnd + fromServer]! | 0)) state &= ~hole;
          }
        } else {
          event |= PacketEvent.Retransmission;
        }
      }
    }
    if (flags & tcpFin) state |= fromServer ? ServerFin : ClientFin;
    if ((state & (ClientFin | ServerFin)) === (ClientFin | ServerFin)) state |= Closed;
  } else {
    state |= Closed;
  }
  if (batch.tcpWindow[row] === 0 && (flags & (tcpRst | tcpSyn | tcpFin)) === 0) {
    event |= PacketEvent.ZeroWindow;
    addEvent(cold, weight, low + clientZeroWindows + fromServer);
  }
  if (event & PacketEvent.Retransmission) {
    addEvent(cold, weight, low + clientRetransmissions + fromServer);
  } else if (event & PacketEvent.OutOfOrder) {
    addEvent(cold, weight, low + clientOutOfOrder + fromServer);
  }
  hot[record + meta] = state;
  return event;
}

/** These counters have 32 bits: at their end they stop, they do not begin anew. */
function addEvent(cold: Uint32Array, weight: number, word: number): void {
  const sum = cold[word]! + weight;
  cold[word] = sum > 0xffffffff ? 0xffffffff : sum;
}
