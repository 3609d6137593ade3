/**
 * Graphs: the leading paths through the levels of groupBy as nodes and edges, in the field names of Grafana's node graph
 * panel (frames `nodes` and `edges`).
 *
 * An edge is what all shown paths that go from one value to another on the next level have together, so nothing counts
 * twice: the edges between two levels add up to the total, `other` included. The rest of the paths is one path through a
 * node `other` on every level.
 */
import type { Frame, FrameField, FrameValue, Measure } from '@netspectra/query';
import type { Columns } from './columns.js';
import { displayUnit, unitConfig } from './display.js';
import { boundsOf, frameMeta, otherName } from './frames.js';
import { groupLabel } from './keys.js';
import { rowsOf } from './table.js';
import type { Answer, Plan, PlannedDimension } from './types.js';

interface Node {
  readonly id: string;
  readonly title: string;
  readonly subtitle: string;
  readonly dimension: string;
  readonly level: number;
  /** per measure */
  readonly sums: number[];
}

interface Edge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly sums: number[];
}

/** Values of one type are one node where nodes are merged: 10.0.0.1 as src_ip and as dst_ip. */
const kindOf = ({ dimension, prefix }: PlannedDimension): string =>
  dimension.type === 'ip' || dimension.type === 'port'
    ? `${dimension.type}${prefix === undefined ? '' : `/${prefix.ipv4}/${prefix.ipv6}`}`
    : dimension.id.replace(/^(src|dst|client|server)_/, '');

const add = (sums: number[], values: readonly number[]): void =>
  values.forEach((value, i) => {
    sums[i] = (sums[i] ?? 0) + value;
  });

/** Thickness of the strongest edge, pixels; the panel's own default is 1. */
const thicknessMax = 8;

/** The rows of a plan's statement as nodes and edges. @param merge one node for a value that stands on several levels */
export function graphAnswer(plan: Plan, columns: Columns, merge: boolean): Answer {
  const { rows, truncated } = rowsOf(plan, columns);
  const nodes = new Map<string, Node>();
  const edges = new Map<string, Edge>();
  const nodeAt = (level: number, name: string | number | null, rest: boolean): Node => {
    const planned = plan.dimensions[level];
    if (!planned) throw new Error('a path with more levels than the query');
    // The rest keeps a node of its own on each level, and does not meet a value that is called "other".
    const place = merge && !rest ? kindOf(planned) : String(level);
    const id = `${place}:${rest ? '' : name === null ? 'none' : `=${name}`}`;
    const found = nodes.get(id);
    if (found) return found;
    const title = rest ? otherName : name === null || name === '' ? '(none)' : String(name);
    const node = { id, title, subtitle: groupLabel(planned), dimension: planned.key, level, sums: [] };
    nodes.set(id, node);
    return node;
  };
  for (const { names, rest, values } of rows) {
    const factors = plan.measures.map(({ measure }) => displayUnit(measure.unit, plan.displayUnits).factor);
    const amounts = values.map(({ value }, i) => (value ?? 0) * (factors[i] ?? 1));
    const path = names.map((name, level) => nodeAt(level, name, rest));
    // A merged node that a path meets twice has its amount once.
    for (const node of new Set(path)) add(node.sums, amounts);
    path.slice(1).forEach((target, level) => {
      const source = path[level];
      if (!source) return;
      const id = `${source.id}>${target.id}`;
      const edge = edges.get(id) ?? { id, source: source.id, target: target.id, sums: [] };
      edges.set(id, edge);
      add(edge.sums, amounts);
    });
  }
  const shownNodes = [...nodes.values()].sort((a, b) => a.level - b.level || (b.sums[0] ?? 0) - (a.sums[0] ?? 0));
  const shownEdges = [...edges.values()].sort((a, b) => (b.sums[0] ?? 0) - (a.sums[0] ?? 0));
  const strongest = shownEdges[0]?.sums[0] ?? 0;
  const frame = (name: string, columnsOf: readonly (readonly [FrameField, FrameValue[]])[]): Frame => ({
    schema: {
      name,
      refId: plan.refId,
      meta: { ...frameMeta(plan, undefined, truncated), preferredVisualisationType: 'nodeGraph' },
      fields: columnsOf.map(([field]) => field),
    },
    data: { values: columnsOf.map(([, values]) => values) },
  });
  const stats = (of: readonly { readonly sums: readonly number[] }[]): (readonly [FrameField, FrameValue[]])[] =>
    plan.measures.map(({ measure }, i) => [
      stat(measure, i === 0 ? 'mainstat' : 'secondarystat', plan.displayUnits),
      of.map(({ sums }) => sums[i] ?? 0),
    ]);
  const frames = [
    frame('nodes', [
      [text('id'), shownNodes.map(({ id }) => id)],
      [text('title', 'Name'), shownNodes.map(({ title }) => title)],
      [text('subtitle', 'Is'), shownNodes.map(({ subtitle }) => subtitle)],
      ...stats(shownNodes),
      [text('detail__dimension', 'Dimension'), shownNodes.map(({ dimension }) => dimension)],
    ]),
    frame('edges', [
      [text('id'), shownEdges.map(({ id }) => id)],
      [text('source'), shownEdges.map(({ source }) => source)],
      [text('target'), shownEdges.map(({ target }) => target)],
      ...stats(shownEdges),
      [
        { name: 'thickness', type: 'number', typeInfo: { frame: 'float64' } },
        shownEdges.map(({ sums }) => (strongest > 0 ? 1 + ((sums[0] ?? 0) / strongest) * (thicknessMax - 1) : 1)),
      ],
    ]),
  ];
  return { frames, truncated, errorBounds: boundsOf(plan, columns) };
}

const text = (name: string, displayName?: string): FrameField => ({
  name,
  type: 'string',
  typeInfo: { frame: 'string' },
  ...(displayName === undefined ? {} : { config: { displayName } }),
});

const stat = (measure: Measure, name: string, display: boolean): FrameField => ({
  name,
  type: 'number',
  typeInfo: { frame: 'float64' },
  config: { displayName: measure.label, ...unitConfig(displayUnit(measure.unit, display).unit) },
});
