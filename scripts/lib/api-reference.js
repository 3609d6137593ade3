/**
 * The reference part of docs/api.md, out of the OpenAPI document: a table of all routes, then each with its parameters, body,
 * answer and errors. `make-api-reference.js` writes it; a test beside the API holds the page against it.
 */

export const beginMark = '<!-- reference: begin (made by scripts/make-api-reference.js) -->';
export const endMark = '<!-- reference: end -->';

/** Nesting that is shown; what lies deeper stands in the OpenAPI document. */
const depthMax = 3;

const cell = (text) =>
  String(text ?? '')
    .replaceAll('|', '\\|')
    .replaceAll('\n', ' ');
const quoted = (value) => '`' + cell(typeof value === 'string' ? value : JSON.stringify(value)) + '`';

/** A schema's type in words: `integer, 1 to 10000`, `"asc" or "desc"`. */
function typeOf(schema) {
  const options = schema.anyOf ?? schema.oneOf;
  if (options) {
    const words = [...new Set(options.map(typeOf))];
    return words.length > 6 ? `${words.slice(0, 6).join(', ')} ...` : words.join(' or ');
  }
  if ('const' in schema) return quoted(schema.const);
  if (schema.enum) return schema.enum.map(quoted).join(' or ');
  if (schema.type === 'array') {
    const most = schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`;
    return `list of ${typeOf(schema.items ?? {})}${most}`;
  }
  if (schema.type === 'integer' || schema.type === 'number') {
    const { type, minimum, maximum } = schema;
    if (minimum !== undefined && maximum !== undefined) return `${type}, ${minimum} to ${maximum}`;
    return minimum === undefined ? type : `${type} from ${minimum}`;
  }
  if (schema.type === 'object' && schema.patternProperties) return 'object by name';
  return schema.type ?? 'any value';
}

/** Rows of a schema's properties, nested ones by path: `queries[].refId`. */
function rowsOf(schema, path = '', depth = 1) {
  const objects = (schema.anyOf ?? [schema]).filter(({ properties }) => properties);
  const seen = new Set();
  return objects.flatMap(({ properties, required = [] }) =>
    Object.entries(properties).flatMap(([name, child]) => {
      if (seen.has(name)) return [];
      seen.add(name);
      const inner = child.type === 'array' ? (child.items ?? {}) : child;
      const own = path + name;
      const nested = depth < depthMax ? rowsOf(inner, `${own}${child.type === 'array' ? '[]' : ''}.`, depth + 1) : [];
      const must = required.includes(name) && objects.length === 1;
      return [{ name: own, must, type: typeOf(child), text: textOf(child) }, ...nested];
    }),
  );
}

function textOf(schema) {
  const parts = [schema.description, schema.default === undefined ? undefined : `default ${quoted(schema.default)}`];
  return parts.filter((part) => part !== undefined).join('; ');
}

const table = (head, rows) =>
  rows.length === 0
    ? []
    : [
        `| ${head.join(' | ')} |`,
        `|${head.map(() => ' --- ').join('|')}|`,
        ...rows.map((row) => `| ${row.join(' | ')} |`),
        '',
      ];

function parametersOf({ parameters = [] }) {
  return table(
    ['parameter', 'in', 'type', 'meaning'],
    parameters.map(({ name, in: where, required, schema, description }) => [
      `\`${name}\`${required ? ' (needed)' : ''}`,
      where,
      cell(typeOf(schema)),
      cell(textOf({ description, ...schema })),
    ]),
  );
}

function bodyOf({ requestBody }) {
  const content = requestBody?.content?.['application/json'];
  if (!content) return [];
  const example = content.example ?? Object.values(content.examples ?? {})[0]?.value;
  return [
    ...table(
      ['key of the body', 'type', 'meaning'],
      rowsOf(content.schema).map(({ name, must, type, text }) => [
        `\`${name}\`${must ? ' (needed)' : ''}`,
        cell(type),
        cell(text),
      ]),
    ),
    ...(example === undefined ? [] : ['Example body:', '', `    ${JSON.stringify(example)}`, '']),
  ];
}

function answersOf({ responses }) {
  const good = Object.entries(responses).filter(([status]) => status.startsWith('2'));
  const bad = Object.keys(responses).filter((status) => /^[45]\d\d$/.test(status));
  return [
    ...good.flatMap(([status, { description, content = {} }]) => {
      const types = Object.keys(content).map((type) => `\`${type}\``);
      const schema = content['application/json']?.schema ?? content['text/event-stream']?.schema;
      const keys = schema
        ? rowsOf(schema, '', depthMax).map(({ name, text }) => `\`${name}\`${text ? ` (${text})` : ''}`)
        : [];
      return [
        `**${status}** ${description}${types.length ? `, as ${types.join(', ')}` : ''}.` +
          (keys.length ? ` Keys: ${keys.join(', ')}.` : ''),
        '',
      ];
    }),
    `Problems: ${bad.join(', ')}.`,
    '',
  ];
}

/** @param document the OpenAPI document @returns markdown, without the marks */
export function apiReference(document) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );
  const routes = table(
    ['route', 'role', 'answers'],
    operations.map(({ name, operation }) => [`\`${name}\``, operation['x-role'], cell(operation.summary)]),
  );
  const sections = document.tags.flatMap(({ name: tag, description }) => {
    const own = operations.filter(({ operation }) => operation.tags[0] === tag);
    if (own.length === 0) return [];
    return [
      `### ${description}`,
      '',
      ...own.flatMap(({ name, operation }) => [
        `#### ${name}`,
        '',
        `${operation.summary}. ${operation.description}`,
        '',
        ...parametersOf(operation),
        ...bodyOf(operation),
        ...answersOf(operation),
      ]),
    ];
  });
  return [...routes, ...sections].join('\n').trimEnd();
}

/** The page with its reference replaced. Throws when the marks are missing. */
export function withReference(page, reference) {
  const begin = page.indexOf(beginMark);
  const end = page.indexOf(endMark);
  if (begin < 0 || end < begin) throw new Error('docs/api.md lacks the marks of its reference');
  return `${page.slice(0, begin)}${beginMark}\n\n${reference}\n\n${page.slice(end)}`;
}
