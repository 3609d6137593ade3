/** Thread entry: one ring of one interface. Messages out: ThreadMessage; in: RuleSet, looked for at each turn. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { CaptureError } from '../capture/errors.js';
import { loadFilterCompiler, openLiveSource } from '../capture/live/open.js';
import { CaptureLoop } from './capture-loop.js';
import type { CaptureOptions, CaptureReport, RuleSet } from './capture-loop.js';
import type { BuiltMessage } from './batch-builder.js';
import { Scavenger } from './scavenger.js';
import { SharedControl } from './shared-control.js';

export interface ThreadData {
  readonly control: SharedArrayBuffer;
  readonly interfaceName: string;
  readonly options: CaptureOptions;
}

export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'messages'; readonly messages: readonly BuiltMessage[] }
  | { readonly kind: 'report'; readonly report: CaptureReport }
  | { readonly kind: 'warning'; readonly text: string }
  /** it cannot be captured, for a reason that people can mend */
  | { readonly kind: 'refused'; readonly code: CaptureError['code']; readonly text: string };

const port = parentPort;
if (!port) throw new Error('probe-thread.ts runs as a worker thread only');
const { control, interfaceName, options } = workerData as ThreadData;
const post = (message: ThreadMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

function newRules(): RuleSet | undefined {
  let newest: RuleSet | undefined;
  for (let found = receiveMessageOnPort(port!); found; found = receiveMessageOnPort(port!)) {
    newest = found.message as RuleSet;
  }
  return newest;
}

const scavenger = new Scavenger();
try {
  await CaptureLoop.run(options, {
    open: (live) => {
      if (options.samplingRate > 1 && process.platform !== 'linux')
        throw new CaptureError(
          'NS_CAPTURE_NOT_SUPPORTED',
          `${interfaceName}: only Linux' kernel samples packets; set capture.sampling_rate to 1`,
        );
      return openLiveSource(interfaceName, live, options.liveSource);
    },
    compile: await loadFilterCompiler(),
    control: new SharedControl(control),
    publish: (messages) => {
      const bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0);
      post(
        { kind: 'messages', messages },
        messages.map((message) => message.bytes.buffer),
      );
      // The messages went; what was made on the way to them has about the same size.
      scavenger.count(bytes);
    },
    report: (report) => post({ kind: 'report', report }),
    warn: (text) => post({ kind: 'warning', text }),
    newRules,
    ready: () => post({ kind: 'ready' }),
  });
} catch (error) {
  if (!(error instanceof CaptureError)) throw error;
  post({ kind: 'refused', code: error.code, text: error.message });
}
