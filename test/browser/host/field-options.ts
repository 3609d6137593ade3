/** The field options that a field's configuration may hold; Grafana's own list is in its application, not in a package. */
import type { FieldConfigPropertyItem } from '@grafana/data';
import {
  booleanOverrideProcessor,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  identityOverrideProcessor,
  numberOverrideProcessor,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  valueMappingsOverrideProcessor,
  unitOverrideProcessor,
} from '@grafana/data';

type Process = FieldConfigPropertyItem['process'];

const option = (id: string, process: unknown): FieldConfigPropertyItem => ({
  id,
  path: id,
  name: id,
  editor: () => null,
  override: () => null,
  process: process as Process,
  shouldApply: () => true,
});

export const fieldOptions = (): FieldConfigPropertyItem[] => [
  option('unit', unitOverrideProcessor),
  option('displayName', displayNameOverrideProcessor),
  option('links', dataLinksOverrideProcessor),
  option('mappings', valueMappingsOverrideProcessor),
  option('decimals', numberOverrideProcessor),
  option('min', numberOverrideProcessor),
  option('max', numberOverrideProcessor),
  option('fieldMinMax', booleanOverrideProcessor),
  option('noValue', stringOverrideProcessor),
  option('thresholds', thresholdsOverrideProcessor),
  option('color', identityOverrideProcessor),
];
