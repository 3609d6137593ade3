export { Application, applicationNames } from './application.js';
export { FlowTable, FlowEndReason } from './flow-table.js';
export type { FlowTableOptions } from './flow-table.js';
export { hashOfRecord } from './record.js';
