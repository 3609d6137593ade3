export { FlowTable, Application, applicationNames } from './flow-table.js';
