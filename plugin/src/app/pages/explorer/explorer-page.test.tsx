// @vitest-environment jsdom
import '../../../testing/dom.js';
import type * as GrafanaRuntime from '@grafana/runtime';
import type * as GrafanaScenes from '@grafana/scenes';
import { render, screen } from '@testing-library/react';
import type { ReactNode } from 'react';
import { MemoryRouter } from 'react-router-dom';
import { describe, expect, it, vi } from 'vitest';
import { SourceContext } from '../../shared/source.js';
import { ExplorerPage } from './explorer-page.js';

const sources = [
  { uid: 'own', isDefault: true },
  { uid: 'branch', isDefault: false },
];

vi.mock('@grafana/runtime', async (original) => ({
  ...(await original<typeof GrafanaRuntime>()),
  PluginPage: ({ children }: { children: ReactNode }) => <main>{children}</main>,
  getDataSourceSrv: () => ({ getList: () => sources }),
}));
vi.mock('@grafana/scenes', async (original) => ({
  ...(await original<typeof GrafanaScenes>()),
  UrlSyncContextProvider: ({ children }: { children: ReactNode }) => children,
}));
vi.mock('./explorer-scene.js', () => ({
  ExplorerScene: class {
    readonly Component: () => ReactNode;
    constructor(uid: string, kept: string) {
      this.Component = () => <p>{`${uid}, links keep "${kept}"`}</p>;
    }
  },
}));

const open = (search: string): void => {
  render(
    <MemoryRouter initialEntries={[`/a/netspectra-app/explorer${search}`]}>
      <SourceContext.Provider value="own">
        <ExplorerPage />
      </SourceContext.Provider>
    </MemoryRouter>,
  );
};

describe('the explorer', () => {
  it.each([
    ['', 'own, links keep ""'],
    ['?source=branch', 'branch, links keep "branch"'],
    ['?source=default', 'own, links keep "own"'],
  ])('of %s shows %s', (search, shown) => {
    open(search);
    expect(screen.getByText(shown)).toBeInTheDocument();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('says when the datasource of its address is not there', () => {
    open('?source=gone');
    expect(screen.getByText('own, links keep ""')).toBeInTheDocument();
    expect(screen.getByRole('alert')).toHaveTextContent('datasource gone');
  });
});
