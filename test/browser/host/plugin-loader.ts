/**
 * Loads the built plugin modules, which call `define(names, factory)`. Grafana's loader is SystemJS with its AMD extra; of it a
 * plugin sees this much: shared modules by name, and `module` with the address it came from, from which lazy chunks are loaded.
 */
import * as emotion from '@emotion/css';
import * as emotionReact from '@emotion/react';
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import i18next from 'i18next';
import lodash from 'lodash';
import moment from 'moment';
import * as react from 'react';
import * as reactDom from 'react-dom';
import * as reactRouter from 'react-router';
import * as jsxRuntime from 'react/jsx-runtime';
import * as rxjs from 'rxjs';
import { PluginPage } from './shell.js';

const shared: Readonly<Record<string, unknown>> = {
  '@emotion/css': emotion,
  '@emotion/react': emotionReact,
  '@grafana/data': data,
  // Its setter for this one is not in the published package.
  '@grafana/runtime': { ...runtime, PluginPage },
  '@grafana/ui': ui,
  i18next,
  lodash,
  moment,
  react,
  'react-dom': reactDom,
  'react-router': reactRouter,
  'react/jsx-runtime': jsxRuntime,
  rxjs,
};

type Factory = (...modules: unknown[]) => unknown;
type Define = (names: readonly string[], factory: Factory) => void;

const modules = new Map<string, Promise<unknown>>();
let last: { readonly names: readonly string[]; readonly factory: Factory } | undefined;

(window as unknown as { define: Define }).define = (names, factory) => {
  last = { names, factory };
};

/** The exports of a plugin's module.js. Rejects when it cannot be had, or asks for what Grafana does not share. */
export function importPlugin<T>(id: string): Promise<T> {
  const known = modules.get(id);
  if (known) return known as Promise<T>;
  // One after the other: define does not say whose it is.
  const loading = Promise.all(modules.values()).then(() => load(`/public/plugins/${id}/module.js`));
  modules.set(id, loading);
  return loading as Promise<T>;
}

async function load(path: string): Promise<unknown> {
  const uri = new URL(path, window.location.href).href;
  await new Promise<void>((resolve, reject) => {
    const script = document.createElement('script');
    script.src = uri;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${path} cannot be loaded`));
    document.head.append(script);
  });
  if (last === undefined) throw new Error(`${path} defines no module`);
  const { names, factory } = last;
  last = undefined;
  return factory(
    ...names.map((name) => {
      if (name === 'module') return { uri, id: uri };
      if (!(name in shared)) throw new Error(`${path} wants ${name}, which the host does not share`);
      return shared[name];
    }),
  );
}
