/** The configuration in effect as YAML, the schema for editors, and the reference table of docs/configuration.md. */
import { Document, isMap, isScalar } from 'yaml';
import { configLeaves, configSchema, expectedText } from './schema.js';
import type { Config, SchemaNode, TaskSchema } from './schema.js';
import { formatUnit } from './units.js';

/** what stands in place of a secret */
export const secretMask = '********';

/** A configuration as YAML with a comment for each key, units written out, secrets masked. Loading it gives the same. */
export function printConfig(config: Config): string {
  const document = new Document(displayed(configSchema as SchemaNode, config));
  comment(document.contents, configSchema as SchemaNode);
  return document.toString({ lineWidth: 0 });
}

function displayed(schema: SchemaNode, value: unknown): unknown {
  if (schema.secret) return value === '' ? '' : secretMask;
  if (schema.unit && typeof value === 'number') return formatUnit(value, schema.unit);
  if (schema.properties && typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, displayed(schema.properties?.[key] ?? {}, child)]),
    );
  }
  return value;
}

function comment(node: unknown, schema: SchemaNode): void {
  if (!isMap(node)) return;
  for (const pair of node.items) {
    if (!isScalar(pair.key)) continue;
    const child = schema.properties?.[String(pair.key.value)];
    if (!child) continue;
    if (child.description) pair.key.commentBefore = ` ${child.description}`;
    comment(pair.value, child);
  }
}

/**
 * JSON Schema (2020-12) of netspectra.yaml, for editors: sizes and durations may carry a unit, and each task's options
 * are known by its type.
 */
export function configJsonSchema(taskSchemas: readonly TaskSchema[]): Record<string, unknown> {
  const schema = forEditors(configSchema as SchemaNode);
  const engine = (schema['properties'] as Record<string, Record<string, Record<string, Record<string, unknown>>>>)[
    'engine'
  ];
  const tasks = engine?.['properties']?.['tasks'];
  if (tasks) {
    tasks['items'] = {
      type: 'object',
      required: ['type'],
      properties: { type: { enum: taskSchemas.map((task) => task.type) } },
      oneOf: taskSchemas.map((task) => {
        const options = forEditors(task.schema as SchemaNode);
        return {
          ...options,
          properties: { type: { const: task.type }, ...(options['properties'] as object | undefined) },
        };
      }),
    };
  }
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'netspectra.yaml', ...schema };
}

/** A copy with units as texts allowed, our own keywords gone, and nothing required (defaults fill in). */
function forEditors(schema: SchemaNode): Record<string, unknown> {
  const { unit, ...rest } = schema;
  const copy: Record<string, unknown> = { ...rest };
  for (const keyword of ['secret', 'expected', 'required']) delete copy[keyword];
  if (schema.properties) {
    copy['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([key, child]) => [key, forEditors(child)]),
    );
  }
  if (schema.items) copy['items'] = forEditors(schema.items);
  if (unit) {
    const { type, minimum, maximum, description, default: value } = schema;
    return {
      description,
      default: formatUnit(value as number, unit),
      anyOf: [
        { type, minimum, maximum },
        {
          type: 'string',
          pattern: unit === 'bytes' ? '^\\d+(\\.\\d+)?\\s*([KMGT]?i?B?)$' : '^\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)?$',
        },
      ],
    };
  }
  return copy;
}

/** The table of docs/configuration.md: one row a key. */
export function configReference(): string {
  const rows = configLeaves().map(({ path, variable, schema }) => {
    const expected = schema.type === 'string' && !schema.enum && !schema.expected ? 'text' : expectedText(schema);
    const variables = variable === null ? '' : `\`${variable}\`${schema.secret ? `, \`${variable}_FILE\`` : ''}`;
    const cells = [`\`${path.join('.')}\``, schema.description ?? '', expected, defaultText(schema), variables];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| key | what | expected | default | environment |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

function defaultText(schema: SchemaNode): string {
  const value = schema.default;
  if (value === undefined || value === '') return '';
  if (schema.unit && typeof value === 'number') return `\`${value === 0 ? '0' : formatUnit(value, schema.unit)}\``;
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
