// @vitest-environment jsdom
import '../../testing/dom.js';
import type { PanelData } from '@grafana/data';
import { getDefaultTimeRange, LoadingState } from '@grafana/data';
import type * as GrafanaUi from '@grafana/ui';
import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { ComponentProps } from 'react';
import { useState } from 'react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { queryTypes } from '@netspectra/query';
import { newQuery } from '../../../server/src/contract/query.js';
import type { NetSpectraSource } from '../source.js';
import type { NetSpectraQuery } from '../types.js';
import { withType } from './change.js';
import { QueryEditor } from './query-editor.js';

vi.mock('@grafana/ui', async (original) => ({
  ...(await original<typeof GrafanaUi>()),
  CodeEditor: TextEditor,
}));

/** In place of Monaco, which comes from Grafana's server: keeps what is typed, as it does. */
function TextEditor({
  value,
  onChange,
  onBlur,
}: Pick<ComponentProps<typeof GrafanaUi.CodeEditor>, 'value' | 'onChange' | 'onBlur'>) {
  const [text, setText] = useState(value);
  const [given, setGiven] = useState(value);
  if (given !== value) {
    setGiven(value);
    setText(value);
  }
  return (
    <textarea
      aria-label="code"
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        onChange?.(event.currentTarget.value);
      }}
      onBlur={(event) => onBlur?.(event.currentTarget.value)}
    />
  );
}

beforeEach(() => {
  // The lists of selects draw only what is seen; here everything has a size.
  vi.spyOn(Element.prototype, 'getBoundingClientRect').mockReturnValue({
    width: 400,
    height: 400,
    top: 0,
    left: 0,
  } as DOMRect);
  vi.spyOn(HTMLElement.prototype, 'offsetHeight', 'get').mockReturnValue(400);
  vi.spyOn(HTMLElement.prototype, 'offsetWidth', 'get').mockReturnValue(400);
});

const datasource = { values: () => Promise.resolve([]) } as unknown as NetSpectraSource;

function show(stored: Partial<NetSpectraQuery> = newQuery, data?: Partial<PanelData>) {
  const onRunQuery = vi.fn();
  let latest = { refId: 'A', ...stored } as NetSpectraQuery;
  function Host() {
    const [query, setQuery] = useState(latest);
    return (
      <QueryEditor
        datasource={datasource}
        query={query}
        {...(data === undefined
          ? {}
          : { data: { series: [], timeRange: getDefaultTimeRange(), ...data } as PanelData })}
        onRunQuery={onRunQuery}
        onChange={(changed) => {
          latest = changed;
          setQuery(changed);
        }}
      />
    );
  }
  const { container } = render(<Host />);
  return { container, latest: () => latest, onRunQuery };
}

describe('the query editor', () => {
  it('shows a new query as fields that have names', () => {
    show({});
    for (const label of ['Show', 'Measures', 'Group by', 'Direction', 'Limit', 'Compare with', 'Interval']) {
      expect(screen.getByLabelText(new RegExp(`^${label}`)), label).toBeInTheDocument();
    }
    expect(screen.getByRole('group', { name: 'Filter' })).toBeInTheDocument();
    expect(screen.getByText('Bits/s')).toBeInTheDocument();
  });

  it.each(queryTypes)('describes every field of the type %s', (type) => {
    const { container } = show(withType({ ...newQuery, refId: 'A' }, type));
    const labels = [...container.querySelectorAll('label[for^="netspectra-"]')];
    expect(labels.length).toBeGreaterThan(4);
    expect(labels.filter((label) => label.querySelector('svg') === null).map(({ textContent }) => textContent)).toEqual(
      [],
    );
  });

  it('shows mistakes of a moment at its fields, and a comparison that the type cannot have', () => {
    show({ ...newQuery, type: 'explain', groupBy: [], explain: { at: 'noon', width: 'long' } });
    expect(screen.getByLabelText(/^Moment/)).toBeInvalid();
    expect(screen.getByLabelText(/^Width/)).toBeInvalid();
    cleanup();
    show({ ...newQuery, type: 'graph', groupBy: ['src_ip', 'dst_ip'], compareTo: { offset: '1d' } });
    expect(screen.getByText(/compare$/)).toBeInTheDocument();
  });

  it('has for events fields of their own, with variables, once for each query', async () => {
    const user = userEvent.setup();
    const events = { ...newQuery, queryType: 'alerts', alerts: {} } as Partial<NetSpectraQuery>;
    const { latest, onRunQuery } = show(events);
    show(events);
    expect(new Set(screen.getAllByRole('combobox').map(({ id }) => id)).size).toBe(6);
    await user.click(screen.getAllByLabelText('Severity')[0]!);
    await user.keyboard('$severity{Enter}');
    await user.type(screen.getAllByLabelText('Search')[0]!, 'scan{Enter}');
    expect(latest()).toMatchObject({ queryType: 'alerts', alerts: { severity: '$severity', search: 'scan' } });
    expect(onRunQuery).toHaveBeenCalledTimes(2);
  });

  it('changes the type and runs', async () => {
    const user = userEvent.setup();
    const { latest, onRunQuery } = show();
    await user.click(screen.getByLabelText(/^Show/));
    await user.keyboard('Graph{ArrowDown}{Enter}');
    expect(latest()).toMatchObject({ type: 'graph', groupBy: ['src_ip', 'dst_ip'] });
    expect(onRunQuery).toHaveBeenCalled();
    expect(screen.getByLabelText(/^Levels/)).toBeInTheDocument();
  });

  it('takes a limit when it is left, tells a wrong one, and does not ask with it', async () => {
    const user = userEvent.setup();
    const { latest, onRunQuery } = show();
    const limit = screen.getByLabelText(/^Limit/);
    await user.clear(limit);
    await user.type(limit, '0{Enter}');
    expect(screen.getByText('a whole number from 1 to 1,000')).toBeInTheDocument();
    expect(onRunQuery).not.toHaveBeenCalled();
    await user.clear(limit);
    await user.type(limit, '$top{Enter}');
    expect(latest().limit).toBe('$top');
    expect(onRunQuery).toHaveBeenCalledTimes(1);
  });

  it('tells what is wrong with a filter, and mends it', async () => {
    const user = userEvent.setup();
    const { latest } = show();
    const filter = within(screen.getByRole('group', { name: 'Filter' })).getByLabelText('code');
    await user.type(filter, 'dst_prot = 443');
    expect(screen.getByRole('status')).toHaveTextContent('Column 1');
    await user.click(screen.getByRole('button', { name: 'Use dst_port' }));
    await waitFor(() => expect(latest().filter).toBe('dst_port = 443'));
    expect(screen.getByRole('status')).toBeEmptyDOMElement();
  });

  it('shows the query as text, takes text back, and asks before it throws some away', async () => {
    const user = userEvent.setup();
    const { latest } = show();
    await user.click(screen.getByRole('radio', { name: 'Code' }));
    const code = screen.getByLabelText('code');
    expect(code).toHaveValue(JSON.stringify({ ...newQuery, version: undefined }, undefined, 2));
    expect(latest().editorMode).toBe('code');
    await user.clear(code);
    await user.click(code);
    await user.paste('{"type": "table", "measures": ["bytes"], "groupBy": []}');
    await user.tab();
    expect(latest()).toMatchObject({ refId: 'A', type: 'table', measures: ['bytes'] });
    await user.clear(code);
    await user.click(code);
    await user.paste('{"type": ');
    await user.tab();
    expect(screen.getByText(/this is not JSON/)).toBeInTheDocument();
    await user.click(screen.getByRole('radio', { name: 'Builder' }));
    expect(latest().editorMode).toBe('code');
    await user.click(screen.getByRole('button', { name: 'Discard' }));
    expect(latest()).toMatchObject({ editorMode: 'builder', type: 'table' });
  });

  it('says that it waits, and what failed, of its own query only', () => {
    show(newQuery, { state: LoadingState.Loading });
    expect(screen.getByRole('button', { name: 'Run query' })).toHaveAttribute('aria-busy', 'true');
    cleanup();
    const errors = [
      { refId: 'B', message: 'not ours' },
      { refId: 'A', message: 'the API does not answer' },
    ];
    show(newQuery, { state: LoadingState.Error, errors });
    expect(screen.getByRole('alert')).toHaveTextContent('the API does not answer');
    expect(screen.getByRole('button', { name: 'Run query' })).toHaveAttribute('aria-busy', 'false');
  });

  it('says when a stored query cannot be read', () => {
    show({ ...newQuery, version: 99 as 1 });
    expect(screen.getByRole('alert')).toHaveTextContent('newer version');
  });
});
