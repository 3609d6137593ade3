/**
 * Filter -> libpcap filter expression (pcap-filter 7), for the kernel to drop most of what is not wanted.
 *
 * The expression keeps every frame that the filter keeps, and possibly more; `exact` tells whether more. Whoever captures
 * runs the filter itself (compilePacketFilter of the collector) over what comes through. Under `not` a comparison that
 * the kernel cannot answer is taken to fail, elsewhere to hold, so that nothing is lost either way.
 *
 * `vlan` in libpcap moves all offsets to the right of it, in the order of the text whatever the brackets say. So the
 * expression has the form `A or (vlan and (B or (vlan and C)))`: the whole filter for untagged frames, then for frames with
 * one tag, then for two; each part asks that no further tag follows where that matters.
 *
 * Limits: a frame that was cut inside the headers the expression reads is dropped by BPF itself, also under `not`;
 * frames whose headers lie (a bad IP header length) are judged by bytes that the decoder does not believe.
 */
import type { FilterNode } from '../ast.js';
import { filterFieldsOf } from '../ast.js';
import type { FieldId } from '../fields.js';
import { packetProblem } from '../packet-fields.js';
import type { FieldProblem } from '../packet-fields.js';
import { comparisonCondition, tooMany } from './comparison.js';
import type { Place, Unknown } from './comparison.js';
import { allOf, anyOf, instructionsOf, negated } from './expression.js';
import type { Condition } from './expression.js';
import { strangeFrames, tagged } from './strange.js';

export interface BpfOptions {
  /** 'ethernet' (absent: this), or 'other': raw IP, Linux cooked, loopback, PPP: no VLAN tags are looked for */
  readonly link?: 'ethernet' | 'other';
  /**
   * 'inFrame' (absent: this): the filter sees tags among the frame's bytes, as in files. 'offloaded': they may have been
   * taken off, as the Linux kernel does on AF_PACKET sockets; comparisons of VLAN ids are then left to the probe.
   */
  readonly vlanTags?: 'inFrame' | 'offloaded';
  /**
   * 'keep' (absent: this): frames in which the kernel cannot find the innermost packet come through. 'outer': they are
   * judged by their outermost headers; tunnels and fragments may then be lost.
   */
  readonly encapsulated?: 'keep' | 'outer';
  /** what the field `probe` is */
  readonly probe?: string;
}

export type BpfResult =
  | {
      readonly ok: true;
      /** for pcap_compile; empty: everything is kept. libpcap refuses a text that it finds no packet can meet. */
      readonly text: string;
      /** keeps no frame that the filter does not keep */
      readonly exact: boolean;
      /** why it is not exact, each once */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

const keptNote = 'frames in tunnels, fragments and IPv6 with extension headers come through for the probe to look into';

/**
 * Instructions that the comparisons may take for one number of tags: three of these and what finds strange frames stay
 * below the kernel's BPF_MAXINSNS, 4,096.
 */
const instructionsMax = 1_150;

/** After so many comparisons that did not fit no other is tried: work stays bounded. */
const refusedMax = 4;

class BpfCompiler {
  readonly notes = new Set<string>();
  private instructions = 0;
  private refused = 0;

  constructor(private readonly place: Place) {}

  /** `upper`: what may hold; else what surely holds. */
  condition(node: FilterNode, upper: boolean): Condition {
    switch (node.kind) {
      case 'all':
        return true;
      case 'and':
        return allOf(node.terms.map((term) => this.condition(term, upper)));
      case 'or':
        return anyOf(node.terms.map((term) => this.condition(term, upper)));
      case 'not':
        return negated(this.condition(node.term, !upper));
      default: {
        const condition = this.refused < refusedMax ? this.fitting(comparisonCondition(node, this.place)) : tooMany;
        if (typeof condition !== 'object') return condition;
        this.notes.add(condition.unknown);
        return upper;
      }
    }
  }

  private fitting(condition: Condition | Unknown): Condition | Unknown {
    if (typeof condition === 'object' && condition !== tooMany) return condition;
    const instructions = this.instructions + (typeof condition === 'object' ? Infinity : instructionsOf(condition));
    if (instructions > instructionsMax) {
      this.refused += 1;
      return tooMany;
    }
    this.instructions = instructions;
    return condition;
  }
}

/**
 * A condition that cannot hold on a frame with one tag more needs no test that there is none: it has no `not` in it, and
 * reads no tag (a tag's bytes look the same whatever comes behind it).
 */
const needsGuard = (condition: Condition): boolean => condition === true || /\bnot\b|ether\[/.test(String(condition));

/**
 * The filter as a capture filter. Not ok when it tests what a packet cannot tell; see captureFilter for the places of
 * these fields in a text.
 */
export function compileBpf(filter: FilterNode, options: BpfOptions = {}): BpfResult {
  const fields = filterFieldsOf(filter);
  const problems = fields.flatMap((field): FieldProblem[] => {
    const reason = packetProblem(field);
    return reason === undefined ? [] : [{ field, message: `cannot be a capture filter because ${reason}` }];
  });
  if (problems.length > 0) return { ok: false, problems };
  const notes = new Set<string>();
  const condition = filter.kind === 'all' ? true : frames(filter, new Set(fields), options, notes);
  // Nothing at all is kept: `less 0` would keep empty frames, so say what can never be.
  const text = condition === true ? '' : condition === false ? 'not len >= 0' : condition;
  return { ok: true, text, exact: notes.size === 0, notes: [...notes] };
}

/** The numbers of VLAN tags that are told apart on Ethernet; more are strange. */
const depths = [0, 1, 2] as const;

function frames(filter: FilterNode, fields: ReadonlySet<FieldId>, options: BpfOptions, notes: Set<string>): Condition {
  const keeps = options.encapsulated !== 'outer';
  const isEthernet = options.link !== 'other';
  const tagsOffloaded = isEthernet && options.vlanTags === 'offloaded';
  const plain = (isEthernet ? depths : [0 as const]).map((tags) => {
    const compiler = new BpfCompiler({ isEthernet, tags, tagsOffloaded, probe: options.probe });
    const condition = compiler.condition(filter, true);
    compiler.notes.forEach((note) => notes.add(note));
    return condition;
  });
  if (plain.every((condition) => condition === true)) return true;
  if (keeps) notes.add(keptNote);
  const [none, one, two] = plain.map((condition, tags): Condition => {
    const guarded = isEthernet && tags < 2 && needsGuard(condition) ? allOf([negated(tagged), condition]) : condition;
    return keeps ? anyOf([guarded, strangeFrames(fields, isEthernet ? depths[tags] : undefined)]) : guarded;
  });
  if (one === undefined || two === undefined) return none!;
  return anyOf([none!, allOf(['vlan', anyOf([one, allOf(['vlan', two])])])]);
}
