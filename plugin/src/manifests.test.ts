import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';

/** What Grafana's schema of plugin.json demands, and its names for what we use; unknown keys are mistakes. */
const text = { type: 'string', minLength: 1 };
const flag = { type: 'boolean' };
const page = {
  type: 'object',
  required: ['type', 'name', 'path'],
  additionalProperties: false,
  properties: {
    type: { enum: ['page', 'dashboard', 'datasource'] },
    name: text,
    path: text,
    role: { enum: ['Admin', 'Editor', 'Viewer'] },
    action: text,
    icon: text,
    addToNav: flag,
    defaultNav: flag,
  },
};
const link = {
  type: 'object',
  required: ['targets', 'title'],
  additionalProperties: false,
  properties: {
    targets: { type: 'array', items: { type: 'string', pattern: '^grafana/' } },
    title: text,
    description: text,
  },
};
const role = {
  type: 'object',
  required: ['role', 'grants'],
  additionalProperties: false,
  properties: {
    role: {
      type: 'object',
      required: ['name', 'description', 'permissions'],
      additionalProperties: false,
      properties: {
        name: text,
        description: text,
        permissions: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            required: ['action'],
            additionalProperties: false,
            // Grafana registers no role with an action of somebody else.
            properties: { action: { type: 'string', pattern: '^netspectra-app\\.[a-z-]+:[a-z]+$' }, scope: text },
          },
        },
      },
    },
    grants: { type: 'array', items: { enum: ['Viewer', 'Editor', 'Admin', 'Grafana Admin'] } },
  },
};
const schema = {
  type: 'object',
  required: ['type', 'name', 'id', 'info', 'dependencies'],
  additionalProperties: false,
  properties: {
    $schema: text,
    type: { enum: ['app', 'datasource'] },
    name: text,
    id: { type: 'string', pattern: '^[0-9a-z]+-([0-9a-z]+-)?(app|datasource)$' },
    autoEnabled: flag,
    metrics: flag,
    annotations: flag,
    alerting: flag,
    streaming: flag,
    backend: flag,
    multiValueFilterOperators: flag,
    executable: text,
    category: { enum: ['tsdb', 'logging', 'cloud', 'tracing', 'sql', 'enterprise', 'iot', 'other'] },
    queryOptions: {
      type: 'object',
      additionalProperties: false,
      properties: { maxDataPoints: flag, minInterval: flag, cacheTimeout: flag },
    },
    info: {
      type: 'object',
      required: ['logos', 'version', 'updated', 'keywords', 'description', 'author'],
      additionalProperties: false,
      properties: {
        description: text,
        author: { type: 'object', required: ['name'], properties: { name: text } },
        keywords: { type: 'array', minItems: 1, items: text },
        logos: { type: 'object', required: ['small', 'large'], properties: { small: text, large: text } },
        links: { type: 'array' },
        screenshots: { type: 'array' },
        version: { const: '%VERSION%' },
        updated: { const: '%TODAY%' },
      },
    },
    includes: { type: 'array', items: page },
    roles: { type: 'array', items: role },
    extensions: {
      type: 'object',
      additionalProperties: false,
      properties: { addedLinks: { type: 'array', items: link } },
    },
    dependencies: {
      type: 'object',
      required: ['grafanaDependency', 'plugins'],
      additionalProperties: false,
      properties: {
        grafanaDependency: { type: 'string', pattern: '^>=\\d+\\.\\d+\\.\\d+$' },
        plugins: { type: 'array' },
        extensions: { type: 'object' },
      },
    },
  },
};

const here = fileURLToPath(new URL('.', import.meta.url));
const manifest = async (path: string) =>
  JSON.parse(await readFile(`${here}${path}`, 'utf8')) as Record<string, unknown> & {
    info: { logos: { small: string } };
  };
const validate = new Ajv({ allErrors: true, strictTypes: false }).compile(schema);

describe.each(['plugin.json', 'datasource/plugin.json'])('%s', (path) => {
  it('is what Grafana reads', async () => {
    validate(await manifest(path));
    expect(validate.errors).toBeNull();
  });

  it('names files that are there', async () => {
    const { info } = await manifest(path);
    const logo = await readFile(`${here}${path.replace('plugin.json', '')}${info.logos.small}`, 'utf8');
    expect(logo).toMatch(/^<svg /);
    expect(logo).not.toMatch(/<script|href=|on\w+=/i);
  });
});

describe('the bundle', () => {
  it('is the app with the datasource in it, for Grafana 12.3 and later', async () => {
    const app = await manifest('plugin.json');
    const datasource = await manifest('datasource/plugin.json');
    expect([app['id'], datasource['id']]).toEqual(['netspectra-app', 'netspectra-datasource']);
    expect(app['includes']).toContainEqual({ type: 'datasource', name: 'NetSpectra', path: 'datasource/plugin.json' });
    expect(app['backend']).toBeUndefined();
    expect(datasource).toMatchObject({
      backend: true,
      executable: 'gpx_netspectra',
      alerting: true,
      annotations: true,
      metrics: true,
      streaming: true,
    });
    for (const { dependencies } of [app, datasource]) {
      expect(dependencies).toMatchObject({ grafanaDependency: '>=12.3.0' });
    }
  });
});
