import { isApplication } from '@netspectra/query';
import { expect, it } from 'vitest';
import { applicationNames } from './flow-table/index.js';

it('names of recognised applications are known to the filter language', () => {
  expect(applicationNames.slice(1).filter((name) => !isApplication(name))).toEqual([]);
});
