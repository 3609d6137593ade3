export { FlowTable, FlowEndReason, hashOfRecord, Application, applicationNames } from './flow-table.js';
export type { FlowTableOptions } from './flow-table.js';
