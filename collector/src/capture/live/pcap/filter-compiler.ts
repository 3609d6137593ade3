/**
 * libpcap's compiler of filter expressions. The kernel then leaves out what the filter does not want; without it the probe
 * does.
 */
import koffi from 'koffi';
import { CaptureError } from '../../errors.js';
import { instructionBytes, instructionsMax, keepNothing } from '../bpf-program.js';
import type { BpfProgram } from '../live-source.js';
import { loadLibrary } from './library.js';
import type { NativeLibrary } from './library.js';

const netmaskUnknown = 0xffffffff;
const linkTypeRaw = 101;
/** libpcap's own number of it in memory (DLT_RAW); the numbers of the others are the same as in files */
const dataLinkRaw = 12;

/** Compile an expression for frames of a link type, which keeps `snapLength` bytes of each. */
export type CompileExpression = (expression: string, linkType: number, snapLength: number) => BpfProgram;

/** The compiler, or undefined where there is no libpcap. */
export function loadCompiler(): CompileExpression | undefined {
  const library = loadLibrary();
  return library && compilerOf(library);
}

function compilerOf(library: NativeLibrary): CompileExpression {
  const openDead = library.func('void *pcap_open_dead(int, int)');
  const compile = library.func('int pcap_compile(void *, void *, const char *, int, uint32_t)');
  const errorText = library.func('const char *pcap_geterr(void *)');
  const freeCode = library.func('void pcap_freecode(void *)');
  const close = library.func('void pcap_close(void *)');

  return (expression, linkType, snapLength) => {
    const handle = openDead(linkType === linkTypeRaw ? dataLinkRaw : linkType, snapLength) as bigint;
    try {
      // struct bpf_program: unsigned int length, then a pointer to the instructions.
      const program = new BigUint64Array(2);
      if ((compile(handle, program, expression, 1, netmaskUnknown) as number) !== 0) {
        const why = String(errorText(handle));
        if (why.includes('rejects all packets')) return keepNothing;
        throw new CaptureError('NS_CAPTURE_FILTER', `libpcap cannot compile the capture filter: ${why}`);
      }
      const length = new Uint32Array(program.buffer)[0]!;
      try {
        if (length > instructionsMax) {
          throw new CaptureError(
            'NS_CAPTURE_FILTER',
            `the capture filter takes ${length} instructions, the kernel ${instructionsMax} at most; make it shorter`,
          );
        }
        return new Uint8Array(koffi.view(program[1]!, length * instructionBytes)).slice();
      } finally {
        freeCode(program);
      }
    } finally {
      close(handle);
    }
  };
}
