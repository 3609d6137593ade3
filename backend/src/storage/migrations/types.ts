import type { DdlContext } from '../schema.js';

/** A numbered change of the schema. Once released its statements never change; every one of them may run twice. */
export interface Migration {
  /** 1, 2, 3 ... without gaps */
  readonly version: number;
  readonly name: string;
  /** @param ddl where the tables go (one node, a cluster) */
  readonly statements: (ddl: DdlContext) => readonly string[];
}
