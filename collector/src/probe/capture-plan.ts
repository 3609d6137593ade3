/**
 * What a probe does with each packet: its own filter, and the capture rules that came over the bus, compiled together.
 *
 * A packet is judged by the probe's filter first: what that leaves out no rule brings back. Of the rules that keep it the
 * first decides; where none does it is captured. A fragment that does not tell its ports counts as one that could belong
 * to what a rule wants captured, and not to what a rule leaves out.
 */
import { joined, packetProblems, parseFilter, compileBpf } from '@netspectra/query';
import type { BpfOptions, BpfResult, FilterNode } from '@netspectra/query';
import type { PacketBatch } from '@netspectra/proto';
import { PacketFilter } from '../filter/index.js';

/** What is done with packets that a rule's filter keeps. */
export type CaptureAction =
  | { readonly type: 'capture' }
  | { readonly type: 'drop' }
  /** one of `rate` is captured, picked at random, and stands for so many */
  | { readonly type: 'sample'; readonly rate: number }
  /** captured with the payload in their first `snapLength` bytes, whatever `capture.payload` says */
  | { readonly type: 'payload'; readonly snapLength: number };

export interface CaptureRule {
  /** in the filter language; '' = every packet */
  readonly filter: string;
  readonly action: CaptureAction;
}

/** What a probe is to capture. */
export interface CaptureSettings {
  /** the probe's own filter; '' = everything */
  readonly filter: string;
  /** what is never captured, whatever the filter and rules say */
  readonly except?: string;
  /** of the rules that keep a packet the first decides */
  readonly rules?: readonly CaptureRule[];
  /** what the field `probe` is */
  readonly probe: string;
  /** one packet of so many comes from the kernel */
  readonly samplingRate: number;
  /** bytes of a packet that are kept where no rule says how many */
  readonly snapLength: number;
}

/** Bounds of what comes over the bus; each rule is asked of each packet until one decides. */
export const captureRuleLimits = {
  rules: 100,
  /** of a message with all rules of a probe */
  bytes: 256 * 1024,
  rate: 1_000_000,
  snapLength: 65_535,
  /** different sampling rates of a probe */
  rates: 16,
} as const;

/** the engine's rate is 32 bits wide */
const rateMax = 0xffff_ffff;

interface PlannedRule {
  readonly filter: PacketFilter;
  /** the rule decides when `filter` says this; of a rule that drops the filter is turned round */
  readonly decides: boolean;
  /** 0 = left out, 1 = captured, more: one of so many */
  readonly rate: number;
  /** the place of its rate in `rates` */
  readonly rateIndex: number;
  /** 0: as for packets without a rule */
  readonly snapLength: number;
}

const keepAll: FilterNode = { kind: 'all' };

/** Why settings cannot be used: one line, with the rule's place. */
export class CapturePlanError extends Error {
  override readonly name = 'CapturePlanError';
}

export class CapturePlan {
  /** what a row of each class stands for, the kernel's sampling included */
  readonly rates: readonly number[];
  /** most bytes of a packet that anybody asks for: what the kernel is to bring */
  readonly snapLengthMax: number;
  /** what may be kept, for the kernel */
  private readonly node: FilterNode;
  private readonly base: PacketFilter | null;
  private readonly rules: readonly PlannedRule[];
  private random = (Math.random() * 0xffff_ffff) >>> 0 || 1;
  /** of the row that was judged last: the bytes of it to keep; and whether a rule asks for its payload */
  snapLength: number;
  wantsPayload = false;

  /** @throws CapturePlanError */
  constructor(private readonly settings: CaptureSettings) {
    const { filter, except = '', rules = [], probe, samplingRate, snapLength } = settings;
    if (rules.length > captureRuleLimits.rules)
      throw new CapturePlanError(`${rules.length} rules; a probe takes ${captureRuleLimits.rules}`);
    const own = nodeOf(filter, 'the filter');
    const never = except === '' ? null : nodeOf(except, 'what is left out');
    const base = conjunction([own, ...(never ? [negation(never)] : [])]);
    this.base = base.kind === 'all' ? null : new PacketFilter(base, probe);
    const rates = [1];
    const nodes: FilterNode[] = [];
    this.rules = rules.map(({ filter: text, action }, at) => {
      const node = nodeOf(text, `rule ${at + 1}`);
      nodes.push(node);
      const rate = rateOf(action);
      if (rate * samplingRate > rateMax)
        throw new CapturePlanError(`rule ${at + 1}: one of ${rate} of one of ${samplingRate} packets is too few`);
      if (rate > 1 && !rates.includes(rate)) rates.push(rate);
      return {
        filter: new PacketFilter(rate === 0 ? negation(node) : node, probe),
        decides: rate !== 0,
        rate,
        rateIndex: Math.max(0, rates.indexOf(rate)),
        snapLength: action.type === 'payload' ? action.snapLength : 0,
      };
    });
    if (rates.length > captureRuleLimits.rates)
      throw new CapturePlanError(
        `${rates.length - 1} different sampling rates; a probe takes ${captureRuleLimits.rates - 1}`,
      );
    this.rates = rates.map((rate) => rate * samplingRate);
    this.snapLength = snapLength;
    this.snapLengthMax = Math.max(snapLength, ...this.rules.map((rule) => rule.snapLength));
    this.node = conjunction([base, kept(nodes, this.rules)]);
  }

  /**
   * What becomes of a row of a batch: the place of its rate in `rates`, or -1 when it is left out. Sets `snapLength` and
   * `wantsPayload`.
   */
  judge(batch: PacketBatch, row: number): number {
    const { base, rules, settings } = this;
    this.wantsPayload = false;
    this.snapLength = settings.snapLength;
    if (base !== null && !base.keeps(batch, row)) return -1;
    for (let i = 0; i < rules.length; i += 1) {
      const rule = rules[i]!;
      if (rule.filter.keeps(batch, row) !== rule.decides) continue;
      if (rule.rate === 0 || (rule.rate > 1 && !this.picks(rule.rate))) return -1;
      if (rule.snapLength > 0) {
        this.wantsPayload = true;
        this.snapLength = rule.snapLength;
      }
      return rule.rateIndex;
    }
    return 0;
  }

  /** The whole for libpcap: it keeps every packet that `judge` may keep. */
  bpf(options: BpfOptions): BpfResult {
    return compileBpf(this.node, { ...options, probe: this.settings.probe });
  }

  /** One of `rate`, at random (xorshift32, Marsaglia 2003: three shifts, and no pattern of traffic goes along with it). */
  private picks(rate: number): boolean {
    let x = this.random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.random = x >>> 0;
    return this.random < 0x1_0000_0000 / rate;
  }
}

function nodeOf(text: string, what: string): FilterNode {
  const parsed = parseFilter(text);
  if (!parsed.ok) {
    const { message, column } = parsed.errors[0]!;
    throw new CapturePlanError(`${what}, column ${column}: ${message}`);
  }
  const [problem] = packetProblems(parsed.filter);
  if (problem) throw new CapturePlanError(`${what}: ${problem.message}`);
  return parsed.filter;
}

function rateOf(action: CaptureAction): number {
  if (action.type === 'drop') return 0;
  return action.type === 'sample' ? action.rate : 1;
}

const negation = (term: FilterNode): FilterNode => ({ kind: 'not', term });

function conjunction(terms: readonly FilterNode[]): FilterNode {
  const real = terms.filter(({ kind }) => kind !== 'all');
  return real.length === 0 ? keepAll : joined('and', real);
}

/** What the rules may keep, from the last one on: a packet that no rule keeps is captured. */
function kept(nodes: readonly FilterNode[], rules: readonly PlannedRule[]): FilterNode {
  let rest: FilterNode = keepAll;
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    if (rules[i]!.rate === 0) rest = conjunction([negation(nodes[i]!), rest]);
    else if (rest.kind !== 'all') rest = nodes[i]!.kind === 'all' ? keepAll : joined('or', [nodes[i]!, rest]);
  }
  return rest;
}
