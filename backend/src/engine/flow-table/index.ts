export { Application, applicationNames } from './application.js';
export { FlowTable, FlowEndReason } from './flow-table.js';
export type { DeltaColumns, DeltaSideColumns, FlowTableOptions } from './flow-table.js';
export { hashOfRecord } from './record.js';
