/** Classic BPF programs (linux/filter.h): what the kernel asks of each packet before it comes into the ring. */
import type { BpfProgram } from './live-source.js';

/** bytes of an instruction (struct sock_filter) */
export const instructionBytes = 8;
/** BPF_MAXINSNS of the kernel */
export const instructionsMax = 4096;

const loadAbsoluteWord = 0x20; // BPF_LD | BPF_W | BPF_ABS
const moduloConstant = 0x94; // BPF_ALU | BPF_MOD | BPF_K
const jumpIfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const returnConstant = 0x06; // BPF_RET | BPF_K
/** SKF_AD_OFF + SKF_AD_RANDOM: a random number in place of a packet's bytes */
const randomNumber = (0xfffff000 + 56) >>> 0;

interface Instruction {
  readonly code: number;
  readonly jumpTrue?: number;
  readonly jumpFalse?: number;
  readonly value: number;
}

function assemble(instructions: readonly Instruction[]): BpfProgram {
  const program = new Uint8Array(instructions.length * instructionBytes);
  const codes = new Uint16Array(program.buffer);
  const values = new Uint32Array(program.buffer);
  instructions.forEach(({ code, jumpTrue = 0, jumpFalse = 0, value }, i) => {
    codes[i * 4] = code;
    program[i * instructionBytes + 2] = jumpTrue;
    program[i * instructionBytes + 3] = jumpFalse;
    values[i * 2 + 1] = value;
  });
  return program;
}

/** Keeps nothing. */
export const keepNothing: BpfProgram = assemble([{ code: returnConstant, value: 0 }]);

/** Keeps every packet, cut to so many bytes. */
export const keepAll = (snapLength: number): BpfProgram => assemble([{ code: returnConstant, value: snapLength }]);

/**
 * The program on one packet of so many, picked at random by the kernel, each for itself; the others do not come near the
 * ring. Jumps in BPF are relative, so the program works as it is behind these instructions.
 * @param rate 1 = all
 */
export function sampled(program: BpfProgram, rate: number): BpfProgram {
  if (rate === 1) return program;
  const sampler = assemble([
    { code: loadAbsoluteWord, value: randomNumber },
    { code: moduloConstant, value: rate },
    { code: jumpIfEqual, value: 0, jumpTrue: 1 },
    { code: returnConstant, value: 0 },
  ]);
  const whole = new Uint8Array(sampler.length + program.length);
  whole.set(sampler);
  whole.set(program, sampler.length);
  return whole;
}
