/**
 * What the stored sketches mean: the hash of a key, its Count-Min cells, and what HyperLogLog registers stand for. Engine
 * and API both import it, so that rows are read by the very formulas they were written with. Nothing of Node.
 */
export { hashResult, hashWord, hashWords } from './hash.js';
export { countMinCell } from './count-min-cell.js';
export { estimateHistogram, estimateRegisters, standardError } from './cardinality-estimate.js';
