/** Server-sent events out of bytes (WHATWG HTML, "Parsing an event stream"), as far as the API writes them. */
import { PluginError } from '../errors.js';

export interface ServerEvent {
  readonly type: string;
  readonly id: string;
  readonly data: string;
}

/** One event of the API is some KiB. */
const bufferedMax = 4 * 1024 * 1024;

/** The events of a body, as they come. Throws a PluginError for an event without end. */
export async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let type = '';
  let id = '';
  let data: string[] = [];
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > bufferedMax) throw new PluginError('unreachable', 'the live stream holds an event without end');
    // A CR at the very end may be half of a CRLF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { type: type || 'message', id, data: data.join('\n') };
        type = '';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') type = value;
      else if (field === 'data') data.push(value);
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
  }
}
