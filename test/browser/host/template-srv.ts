/**
 * Template variables: those of the scene that asks, as in Grafana; else those of the address (`?var-host=192.0.2.7`, several
 * times for several values), and scoped ones.
 */
import type { ScopedVars } from '@grafana/data';
import type { TemplateSrv } from '@grafana/runtime';
import type { sceneGraph, SceneObject } from '@grafana/scenes';

const reference = /\$(\w+)|\$\{(\w+)(?:\.[^:^}]+)?(?::([^}]+))?\}|\[\[(\w+)(?::(\w+))?\]\]/g;

const valuesOfAddress = (name: string): string[] => new URLSearchParams(window.location.search).getAll(`var-${name}`);

function valueOf(name: string, scoped: ScopedVars): unknown {
  const inScope = scoped[name];
  if (inScope !== undefined) return inScope.value;
  const values = valuesOfAddress(name);
  return values.length > 1 ? values : values[0];
}

/** Scenes wrap it, so that it can be written as JSON. */
const sceneOf = (scoped: ScopedVars): SceneObject | undefined =>
  (scoped['__sceneObject']?.value as SceneObject | undefined)?.valueOf() as SceneObject | undefined;

let interpolate: typeof sceneGraph.interpolate | undefined;
/** From now on texts of a scene are filled by it; not imported here, since most pages have no scene of the host's. */
export function fillScenesWith(given: typeof sceneGraph.interpolate): void {
  interpolate = given;
}

type Format = string | ((value: unknown) => string);

function formatted(value: unknown, format: Format | undefined): string {
  if (typeof format === 'function') return format(value);
  const text = Array.isArray(value) ? value.join(format === 'csv' ? ',' : '|') : String(value);
  return format === 'percentencode' ? encodeURIComponent(text) : text;
}

export const templateSrv: TemplateSrv = {
  getVariables: () => [],
  replace: (target = '', scoped = {}, format) => {
    const scene = sceneOf(scoped);
    if (scene && interpolate) return interpolate(scene, target, scoped, format as never);
    return target.replace(reference, (whole, ...groups: (string | undefined)[]) => {
      const name = groups[0] ?? groups[1] ?? groups[3] ?? '';
      const value = valueOf(name, scoped);
      if (value === undefined) return whole;
      return formatted(value, groups[2] ?? groups[4] ?? (format as Format | undefined));
    });
  },
  containsTemplate: (target = '') => new RegExp(reference.source).test(target),
  updateTimeRange: () => undefined,
};
