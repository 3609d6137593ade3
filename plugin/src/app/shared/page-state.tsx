/** While there is nothing to show yet, and when it could not be had. */
import { Alert, LoadingPlaceholder } from '@grafana/ui';
import type { ReactNode } from 'react';
import type { Loaded } from './use-data.js';

interface Props<T> {
  readonly loaded: Loaded<T>;
  /** what could not be had: "the probes" */
  readonly what: string;
  readonly children: (data: T) => ReactNode;
}

/** Draws data when there are some, also while newer ones fail; a failure says what to do. */
export function PageState<T>({ loaded: { data, error, reload }, what, children }: Props<T>) {
  return (
    <>
      {error !== undefined && (
        <Alert severity="error" title={`Could not load ${what}`} buttonContent="Try again" onRemove={reload}>
          {error.message}
        </Alert>
      )}
      {data === undefined && error === undefined && <LoadingPlaceholder text={`Loading ${what}`} />}
      {data !== undefined && children(data)}
    </>
  );
}
