/** A template variable in a text: how it looks, and what Grafana gives for it. */
import type { ScopedVars } from '@grafana/data';

/** `templateSrv.replace`, as much of it as is used here. */
export type Replace = (text: string, scoped: ScopedVars, format?: string | ((value: unknown) => string)) => string;

/** A template variable in one of Grafana's three ways of writing it. */
export const variablePattern = String.raw`(?:\$\w+|\$\{\w+(?:[.:][^}]*)?\}|\[\[\w+(?::\w+)?\]\])`;

const anywhere = new RegExp(variablePattern);
export const hasVariable = (text: string): boolean => anywhere.test(text);

/** Values of a variable, as `replace` hands them to a format function. */
export const valuesOf = (value: unknown): string[] =>
  (Array.isArray(value) ? (value as unknown[]) : [value]).map((each) => String(each ?? ''));
