/**
 * Gives the memory of a large array back now, and not when V8 happens to collect it: up to 64 MB of such arrays wait for that
 * in every thread, and each collection they cause goes through everything that lives.
 *
 * JavaScript has no call for it. A message that is sent to a closed port takes its arrays along, and is dropped with them: 1 to 3
 * µs, whatever their size. (`ArrayBuffer.prototype.transfer` would copy, and Node 20 has none.)
 */
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';

/** Smaller ones are not worth the call. */
const bytesMin = 128 << 10;
let closed: MessagePort | undefined;

/** Every array that lies in this memory has no elements from now on. */
export function freeMemory(buffer: ArrayBufferLike): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < bytesMin) return;
  if (!closed) {
    const { port1, port2 } = new MessageChannel();
    port1.close();
    port2.close();
    closed = port1;
  }
  closed.postMessage(null, [buffer]);
}
