/**
 * Random tests print their seed and take it again: FUZZ_SEED, FILTER_SEED, and for the properties of
 * fast-check FC_SEED. CI sets them all (.ci/run), so that what lands does not depend on luck; every other run explores.
 */
import fc from 'fast-check';

const seed = process.env['FC_SEED'];
if (seed !== undefined && seed !== '') fc.configureGlobal({ seed: Number(seed) });
