// @vitest-environment jsdom
import '../../testing/dom.js';
import type * as GrafanaRuntime from '@grafana/runtime';
import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ReactNode } from 'react';
import { of, throwError } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { actions } from '../shared/permissions.js';
import { SourceContext } from '../shared/source.js';
import { CaptureRulesPage } from './capture-rules/capture-rules-page.js';
import { HomePage } from './home/home-page.js';
import { ProbesPage } from './probes/probes-page.js';

interface Call {
  readonly url: string;
  readonly method?: string;
  readonly data?: unknown;
  readonly headers?: Record<string, string>;
}
type Answers = Record<string, unknown>;

const grafana = vi.hoisted(() => ({
  calls: [] as Call[],
  answers: {} as Answers,
  role: 'Admin',
  permissions: {} as Record<string, boolean>,
}));

vi.mock('@grafana/runtime', async (original) => ({
  ...(await original<typeof GrafanaRuntime>()),
  config: {
    bootData: {
      user: {
        get orgRole() {
          return grafana.role;
        },
      },
    },
  },
  hasPermission: (action: string) => grafana.permissions[action] === true,
  PluginPage: ({ children, actions }: { children: ReactNode; actions?: ReactNode }) => (
    <main>
      {actions}
      {children}
    </main>
  ),
  getBackendSrv: () => ({
    fetch: (call: Call) => {
      grafana.calls.push(call);
      const path = call.url.replace('/api/datasources/uid/u1/resources/', '');
      const answer = grafana.answers[`${call.method ?? 'GET'} ${path}`];
      if (answer instanceof Refusal)
        return throwError(() => ({ status: answer.status, data: answer.data, config: {} }));
      return of({ data: answer, headers: new Headers() });
    },
  }),
}));
vi.mock('../../datasource/editor/filter-field.js', () => ({
  FilterField: ({ value, onChange }: { value: string; onChange: (text: string) => void }) => (
    <input aria-label="Packets" value={value} onChange={(event) => onChange(event.currentTarget.value)} />
  ),
}));

class Refusal {
  constructor(
    readonly status: number,
    readonly data: object,
  ) {}
}

beforeEach(() => {
  grafana.calls.length = 0;
  grafana.role = 'Admin';
  grafana.permissions = {};
});

function show(page: ReactNode, answers: Answers): void {
  grafana.answers = answers;
  render(<SourceContext.Provider value="u1">{page}</SourceContext.Provider>);
}

const ready = {
  reachable: true,
  ready: true,
  version: '1.2.3',
  uptimeSeconds: 60,
  watermarkMs: null,
  dependencies: [],
  role: 'Admin',
  may: {},
};
const probe = {
  id: '<b>p1</b>',
  last_packet: 1_700_000_000_000,
  packets: 900,
  bytes: 1e6,
  drops: { kernel: 100, filtered: 0, undecodable: 9 },
  undecodable_reasons: { truncated: 9 },
  flows_live: 3,
  late_packets: 0,
  flows_folded: 0,
  sources: [],
};
const rule = {
  id: 'r1',
  version: 3,
  updatedAtMs: 1,
  updatedBy: { name: 'grafana', onBehalfOf: 'eve' },
  name: 'No backups',
  enabled: true,
  probes: ['*'],
  filter: 'port 873',
  action: { type: 'drop' },
  priority: 100,
  kernel: { ok: true, text: 'port 873', exact: true, reasons: [] },
};

describe('home', () => {
  it('shows the pipeline, and first steps while nothing was captured', async () => {
    show(<HomePage />, { 'GET status': ready, 'GET probes': { probes: [] }, 'GET engines': { engines: [] } });
    expect(await screen.findByText('Answers, and so do its stores')).toBeInTheDocument();
    expect(screen.getByText('First steps')).toBeInTheDocument();
    expect(screen.getByText(/NetSpectra 1\.2\.3/)).toBeInTheDocument();
  });

  it('says why the API cannot be reached, and asks it nothing more', async () => {
    show(<HomePage />, {
      'GET status': { reachable: false, ready: false, error: 'connection refused', role: 'Admin', may: {} },
    });
    expect(await screen.findByText('connection refused')).toBeInTheDocument();
    expect(grafana.calls.map(({ url }) => url)).toEqual(['/api/datasources/uid/u1/resources/status']);
  });

  it('tells of a request that failed in the words of the problem', async () => {
    show(<HomePage />, { 'GET status': new Refusal(403, { title: 'Forbidden', detail: 'the token may not read' }) });
    expect(await screen.findByText('the token may not read')).toBeInTheDocument();
    expect(screen.getByText('Try again')).toBeInTheDocument();
  });
});

describe('probes', () => {
  it('are shown with their losses; names with markup are text', async () => {
    show(<ProbesPage />, { 'GET probes': { probes: [probe] }, 'GET engines': { engines: [] } });
    expect(await screen.findByText('<b>p1</b>')).toBeInTheDocument();
    expect(screen.getByText('10 %')).toBeInTheDocument();
    expect(screen.getByText('1 %')).toBeInTheDocument();
  });
});

describe('capture rules', () => {
  const list = { 'GET capture-rules': { captureRules: [rule] } };

  it('are read only for who may not change them', async () => {
    grafana.role = 'Editor';
    show(<CaptureRulesPage />, list);
    expect(await screen.findByText('No backups')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: /New|Edit|Delete/ })).not.toBeInTheDocument();
  });

  it('are read only for whom a role of Grafana leaves out, and for whom the server side would refuse', async () => {
    const [read, write] = [actions.read.action, actions.changeCaptureRules.action];
    for (const [role, permissions, buttons] of [
      ['Admin', { [read]: true, [write]: true }, 1],
      ['Admin', { [read]: true }, 0],
      ['Viewer', { [read]: true, [write]: true }, 0],
    ] as const) {
      Object.assign(grafana, { role, permissions });
      show(<CaptureRulesPage />, list);
      expect(await screen.findByText('No backups')).toBeInTheDocument();
      expect(screen.queryAllByRole('button', { name: /New/ })).toHaveLength(buttons);
      cleanup();
    }
  });

  it('are changed with the version that was read', async () => {
    const user = userEvent.setup();
    show(<CaptureRulesPage />, { ...list, 'PUT capture-rules/r1': rule });
    await user.click(await screen.findByRole('button', { name: 'Edit No backups' }));
    const form = screen.getByRole('dialog');
    const priority = within(form).getByLabelText(/^Priority/);
    await user.clear(priority);
    await user.type(priority, '7');
    await user.click(within(form).getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
    const put = grafana.calls.find(({ method }) => method === 'PUT');
    expect(put).toMatchObject({
      headers: { 'If-Match': '"3"' },
      data: { name: 'No backups', filter: 'port 873', priority: 7, action: { type: 'drop' } },
    });
  });

  it('say so when somebody else was faster, and keep what was typed', async () => {
    const user = userEvent.setup();
    show(<CaptureRulesPage />, { ...list, 'PUT capture-rules/r1': new Refusal(412, { title: 'Precondition failed' }) });
    await user.click(await screen.findByRole('button', { name: 'Edit No backups' }));
    const form = screen.getByRole('dialog');
    await user.type(within(form).getByLabelText(/^Name/), '!');
    await user.click(within(form).getByRole('button', { name: 'Save' }));
    expect(await within(form).findByText('Somebody else changed this rule')).toBeInTheDocument();
    expect(within(form).getByLabelText(/^Name/)).toHaveValue('No backups!');
  });

  it('are not sent with a mistake, and mistakes that the API finds stand at their field', async () => {
    const user = userEvent.setup();
    const refusal = new Refusal(400, { detail: 'invalid', errors: [{ pointer: '#/probes', detail: 'no such probe' }] });
    show(<CaptureRulesPage />, { 'GET capture-rules': { captureRules: [] }, 'POST capture-rules': refusal });
    await screen.findByText('No capture rules');
    await user.click(screen.getAllByRole('button', { name: /New capture rule/ })[0]!);
    const form = screen.getByRole('dialog');
    await user.click(within(form).getByRole('button', { name: 'Save' }));
    expect(within(form).getByText('a name is needed')).toBeInTheDocument();
    expect(grafana.calls.some(({ method }) => method === 'POST')).toBe(false);
    await user.type(within(form).getByLabelText(/^Name/), 'x');
    await user.click(within(form).getByRole('button', { name: 'Save' }));
    expect(await within(form).findByText('no such probe')).toBeInTheDocument();
  });
});
