/** Alert rules: what their conditions mean, and what they would have done. */
export { firingsOf, noDataMeanings, quietThreshold, summaryOf } from './back-test.js';
export type { BackTestRule, BackTestSeries, Firing, NoData } from './back-test.js';
export { bandSides, changeUnits, historyLength, judge, operators } from './condition.js';
export type { BandCondition, ChangeUnit, Condition, Judgement, Operator } from './condition.js';
