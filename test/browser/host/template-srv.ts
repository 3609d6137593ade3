/** Template variables: those of the address (`?var-host=192.0.2.7`, several times for several values), and scoped ones. */
import type { ScopedVars } from '@grafana/data';
import type { TemplateSrv } from '@grafana/runtime';

const reference = /\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;

const valuesOfAddress = (name: string): string[] => new URLSearchParams(window.location.search).getAll(`var-${name}`);

function valueOf(name: string, scoped: ScopedVars): unknown {
  const inScope = scoped[name];
  if (inScope !== undefined) return inScope.value;
  const values = valuesOfAddress(name);
  return values.length > 1 ? values : values[0];
}

type Format = string | ((value: unknown) => string);

function formatted(value: unknown, format: Format | undefined): string {
  if (typeof format === 'function') return format(value);
  const text = Array.isArray(value) ? value.join(format === 'csv' ? ',' : '|') : String(value);
  return format === 'percentencode' ? encodeURIComponent(text) : text;
}

export const templateSrv: TemplateSrv = {
  getVariables: () => [],
  replace: (target = '', scoped = {}, format) =>
    target.replace(reference, (whole, ...groups: (string | undefined)[]) => {
      const name = groups[0] ?? groups[1] ?? groups[3] ?? '';
      const value = valueOf(name, scoped);
      if (value === undefined) return whole;
      return formatted(value, groups[2] ?? groups[4] ?? (format as Format | undefined));
    }),
  containsTemplate: (target = '') => new RegExp(reference.source).test(target),
  updateTimeRange: () => undefined,
};
