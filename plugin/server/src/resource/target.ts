/**
 * From what a browser asked for to a path of the API. The path is taken apart before it is compared, each segment decoded
 * once and held to plain characters, and put together anew: nothing of the text that came is passed on, so no encoding of
 * dots, slashes or line ends reaches the API.
 */
import { mayUse, routes } from '../contract/routes.js';
import type { GrafanaRole, Route } from '../contract/routes.js';
import { PluginError } from '../errors.js';

export interface Target {
  readonly route: Route;
  /** path of the API with the query string */
  readonly path: string;
  readonly parameters: URLSearchParams;
}

/** Ids, addresses, names of routes. No dot alone, no slash, no percent: neither could be a value of ours. */
const plainSegment = /^[A-Za-z0-9_~@:][A-Za-z0-9._~@:-]{0,127}$/;
const queryStringMax = 16_384;

const nothing = (): PluginError => new PluginError('not-found', 'the datasource has no such route');

/** The segments of a path, or undefined where one is not plain. */
export function segmentsOf(path: string): readonly string[] | undefined {
  const segments: string[] = [];
  for (const part of path.replace(/^\//, '').split('/')) {
    let segment: string;
    try {
      segment = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    if (!plainSegment.test(segment)) return undefined;
    segments.push(segment);
  }
  return segments.length <= 6 ? segments : undefined;
}

const fits = (route: Route, segments: readonly string[]): boolean => {
  const pattern = route.path.split('/');
  return pattern.length === segments.length && pattern.every((part, i) => part.startsWith(':') || part === segments[i]);
};

/** A route named in words wins over one with a value at that place. */
const exactFirst = (a: Route, b: Route): number => a.path.split(':').length - b.path.split(':').length;

/**
 * The route for a call. Throws a PluginError: 404 for what is not listed, 405 for another method, 403 for a smaller role.
 * @param path as Grafana gives it, without the query string
 * @param url with the query string
 * @param role of the Grafana user; empty where there is none
 */
export function targetOf(method: string, path: string, url: string, role: GrafanaRole | string): Target {
  const segments = segmentsOf(path);
  if (!segments) throw nothing();
  const fitting = routes.filter((route) => fits(route, segments)).sort(exactFirst);
  const exact = fitting.filter((route) => exactFirst(route, fitting[0]!) === 0);
  if (fitting.length === 0) throw nothing();
  const route = fitting.find((each) => each.method === method.toUpperCase());
  if (!route) {
    throw new PluginError('method', `use ${[...new Set(exact.map((each) => each.method))].join(' or ')} here`);
  }
  if (!mayUse(role, route.role)) {
    throw new PluginError('forbidden', `this needs the role ${route.role} in Grafana; you are ${role || 'nobody'}`);
  }
  const [, query = ''] = /\?([^#]*)/.exec(url) ?? [];
  if (query.length > queryStringMax)
    throw new PluginError('too-large', 'the query string is too long', { status: 414 });
  const parameters = new URLSearchParams(query);
  const text = parameters.toString();
  const joined = segments.map(encodeURIComponent).join('/');
  return { route, parameters, path: `/api/v1/${joined}${text === '' ? '' : `?${text}`}` };
}
