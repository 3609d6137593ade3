/**
 * Data frames as plain rows. A time series frame is wide: a number field for each measure and group, told apart by labels. For
 * export it becomes long, one row for each time and group: `time`, the labels, the measures. That is how `table` answers
 * look already, and what spreadsheets, DuckDB and data frames of other programs want.
 */
import type { Frame, FrameField, FrameValue } from '@netspectra/query';
import type { Column, RowBlock } from './encode.js';

export interface Tidy {
  readonly columns: readonly Column[];
  readonly blocks: readonly RowBlock[];
}

interface Piece {
  /** column name -> type and values; all of one length */
  readonly columns: Map<string, { readonly type: Column['type']; readonly values: readonly FrameValue[] }>;
  readonly rows: number;
}

const labelsOf = (field: FrameField): string => JSON.stringify(field.labels ?? {});

/** A frame as pieces of rows: one for each group of labels of a wide frame, else one. */
function pieces(frame: Frame): Piece[] {
  const { fields } = frame.schema;
  const rows = frame.data.values[0]?.length ?? 0;
  const valuesOf = (field: FrameField): readonly FrameValue[] => frame.data.values[fields.indexOf(field)] ?? [];
  const shared = fields.filter(({ labels }) => labels === undefined);
  const labelled = fields.filter(({ labels }) => labels !== undefined);
  const groups = labelled.length === 0 ? ['{}'] : [...new Set(labelled.map(labelsOf))];
  return groups.map((group) => {
    const columns: Piece['columns'] = new Map();
    for (const field of shared) columns.set(field.name, { type: field.type, values: valuesOf(field) });
    for (const [name, value] of Object.entries(JSON.parse(group) as Record<string, string>)) {
      columns.set(name, { type: 'string', values: new Array<FrameValue>(rows).fill(value) });
    }
    for (const field of labelled.filter((each) => labelsOf(each) === group)) {
      columns.set(field.name, { type: field.type, values: valuesOf(field) });
    }
    return { columns, rows };
  });
}

/** The frames of one answer as rows with one set of columns; several frames are told apart by a first column `frame`. */
export function tidyFrames(frames: readonly Frame[]): Tidy {
  const all = frames.flatMap((frame, i) =>
    pieces(frame).map((piece) => {
      if (frames.length === 1) return piece;
      const name = new Array<FrameValue>(piece.rows).fill(frame.schema.name ?? String(i));
      const columns: Piece['columns'] = new Map([['frame', { type: 'string', values: name }], ...piece.columns]);
      return { columns, rows: piece.rows };
    }),
  );
  const types = new Map<string, Column['type']>();
  for (const { columns } of all) {
    for (const [name, { type }] of columns) types.set(name, types.get(name) ?? type);
  }
  const columns = [...types].map(([name, type]) => ({ name, type }));
  return {
    columns,
    blocks: all.map((piece) => ({
      rows: piece.rows,
      values: columns.map(({ name }) => piece.columns.get(name)?.values ?? []),
    })),
  };
}
