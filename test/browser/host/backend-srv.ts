/** Grafana's way to its own server. */
import type { BackendSrv, BackendSrvRequest, FetchError, FetchResponse } from '@grafana/runtime';
import type { Observable } from 'rxjs';
import { from, lastValueFrom, NEVER } from 'rxjs';

async function send<T>(config: BackendSrvRequest): Promise<FetchResponse<T>> {
  const { url, method = 'GET', data, headers = {}, params = {}, abortSignal } = config;
  const target = new URL(url, window.location.origin);
  for (const [key, value] of Object.entries(params)) target.searchParams.set(key, String(value));
  const response = await fetch(target, {
    method,
    headers: {
      ...(data === undefined ? {} : { 'content-type': 'application/json' }),
      ...(headers as Record<string, string>),
    },
    ...(data === undefined ? {} : { body: JSON.stringify(data) }),
    ...(abortSignal === undefined ? {} : { signal: abortSignal }),
  });
  const text = await response.text();
  const body = parsed(text);
  const { ok, status, statusText } = response;
  if (!ok) {
    const error: FetchError = { status, statusText, data: body, config };
    throw error;
  }
  const { headers: received, redirected, type, url: reached } = response;
  return { data: body as T, ok, status, statusText, headers: received, redirected, type, url: reached, config };
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const fetchOnce = <T>(options: BackendSrvRequest): Observable<FetchResponse<T>> => from(send<T>(options));
const request = async <T>(options: BackendSrvRequest): Promise<T> => (await lastValueFrom(fetchOnce<T>(options))).data;

export const backendSrv: BackendSrv = {
  fetch: fetchOnce,
  request,
  datasourceRequest: (options) => lastValueFrom(fetchOnce(options)),
  chunked: () => NEVER,
  get: (url, params, _id, options) => request({ ...options, url, params: params as Record<string, unknown> }),
  delete: (url, data, options) => request({ ...options, url, method: 'DELETE', data }),
  post: (url, data, options) => request({ ...options, url, method: 'POST', data }),
  patch: (url, data, options) => request({ ...options, url, method: 'PATCH', data }),
  put: (url, data, options) => request({ ...options, url, method: 'PUT', data }),
};
