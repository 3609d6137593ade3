/**
 * Memory for tables that grows where it lies: nothing is copied, nothing is left behind, and pages cost memory only once they are
 * written. A table that grew by copying held its old and its new half at once, and made V8 look for garbage each time.
 *
 * The address space for all of it is taken at the beginning, without any memory behind it. What is shared between threads by its
 * type is not shared here: it is the one kind of buffer that grows and whose arrays V8 reads as fast as any.
 */
export function growableBuffer(bytes: number, bytesMax: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes, { maxByteLength: Math.max(bytes, bytesMax) });
}

/** Give the buffer so many bytes; arrays over it stay as long as they were. @returns false when there is no room for them */
export function growBuffer(buffer: SharedArrayBuffer, bytes: number): boolean {
  if (bytes > buffer.maxByteLength) return false;
  if (bytes > buffer.byteLength) buffer.grow(bytes);
  return true;
}
