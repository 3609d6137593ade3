/**
 * The way of the app's pages to the API: the datasource's resource routes. Grafana checks the session, the datasource's server
 * side checks route and role, and the token never reaches the browser.
 */
import type { FetchResponse } from '@grafana/runtime';
import { getBackendSrv, isFetchError } from '@grafana/runtime';
import { lastValueFrom } from 'rxjs';

/** A request that failed, in words for people. */
export class ResourceError extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** mistakes in the body, by JSON pointer */
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

interface Send {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly params?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: unknown;
  readonly ifMatch?: string;
}

/** The answer of one route of the datasource with this uid. Rejects with a ResourceError. */
export async function callResource<T>(uid: string, path: string, send: Send = {}): Promise<T> {
  const { method = 'GET', params, body, ifMatch } = send;
  try {
    const response: FetchResponse<T> = await lastValueFrom(
      getBackendSrv().fetch<T>({
        url: `/api/datasources/uid/${encodeURIComponent(uid)}/resources/${path}`,
        method,
        ...(params === undefined ? {} : { params }),
        ...(body === undefined ? {} : { data: body }),
        ...(ifMatch === undefined ? {} : { headers: { 'If-Match': ifMatch } }),
        // The page tells what went wrong, where it did.
        showErrorAlert: false,
        showSuccessAlert: false,
      }),
    );
    return response.data;
  } catch (error) {
    throw resourceErrorOf(error);
  }
}

/** Whatever was thrown as words: the API's problem (RFC 9457), Grafana's message, or the text of the error. */
export function resourceErrorOf(error: unknown): ResourceError {
  if (error instanceof ResourceError) return error;
  if (!isFetchError<unknown>(error))
    return new ResourceError(error instanceof Error ? error.message : String(error), 0);
  const problem = (typeof error.data === 'object' && error.data !== null ? error.data : {}) as Record<string, unknown>;
  const text = [problem['detail'], problem['message'], problem['error'], problem['title'], error.statusText].find(
    (each): each is string => typeof each === 'string' && each !== '',
  );
  return new ResourceError(text ?? `the request failed (${error.status})`, error.status, fieldsOf(problem['errors']));
}

function fieldsOf(errors: unknown): Record<string, string> {
  if (!Array.isArray(errors)) return {};
  const entries = errors.flatMap((each: unknown) => {
    const { pointer, detail } = (typeof each === 'object' && each !== null ? each : {}) as Record<string, unknown>;
    return typeof pointer === 'string' && typeof detail === 'string'
      ? [[pointer.replace(/^#/, ''), detail] as const]
      : [];
  });
  return Object.fromEntries(entries);
}
