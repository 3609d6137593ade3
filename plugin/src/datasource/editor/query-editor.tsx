/** The query editor: fields (builder) or text (code). The query is the truth; both show it. */
import type { QueryEditorProps } from '@grafana/data';
import { LoadingState } from '@grafana/data';
import { EditorHeader, FlexItem } from '@grafana/plugin-ui';
import { Alert, Button, ConfirmModal, RadioButtonGroup, Space } from '@grafana/ui';
import { useCallback, useState } from 'react';
import { AlertsEditor } from '../annotations/annotation-editor.js';
import { isAlertsQuery } from '../annotations/query.js';
import { migrated } from '../model/migrate.js';
import type { NetSpectraSource } from '../source.js';
import type { EditorMode, NetSpectraJsonData, NetSpectraQuery } from '../types.js';
import { QueryBuilder } from './builder.js';
import { QueryCodeEditor } from './code-editor.js';
import type { FetchValues } from './filter-completion.js';

export type NetSpectraEditorProps = QueryEditorProps<NetSpectraSource, NetSpectraQuery, NetSpectraJsonData>;

const modes: { label: string; value: EditorMode }[] = [
  { label: 'Builder', value: 'builder' },
  { label: 'Code', value: 'code' },
];
const completionLimit = 50;

/** A panel of events chooses among alerts; all others ask for traffic. */
export function QueryEditor(props: NetSpectraEditorProps) {
  const { query, onChange, onRunQuery } = props;
  if (!isAlertsQuery(query)) return <TrafficEditor {...props} />;
  const change = (changed: NetSpectraQuery): void => {
    onChange(changed);
    onRunQuery();
  };
  return <AlertsEditor query={query} onChange={change} />;
}

function TrafficEditor({ datasource, query: stored, onChange, onRunQuery, range, data }: NetSpectraEditorProps) {
  const { query, mistake } = migrated(stored);
  const mode = query.editorMode ?? 'builder';
  const [pending, setPending] = useState(false);
  const [asking, setAsking] = useState(false);
  const values = useCallback<FetchValues>(
    (dimension, prefix) => datasource.values({ dimension, prefix, range, limit: completionLimit }),
    [datasource, range],
  );
  const changeMode = (next: EditorMode): void => {
    setPending(false);
    setAsking(false);
    onChange({ ...query, editorMode: next });
  };
  const run = (changed: NetSpectraQuery): void => {
    onChange(changed);
    onRunQuery();
  };
  const loading = data?.state === LoadingState.Loading;
  const failed = data?.errors?.find(({ refId }) => refId === query.refId)?.message;
  return (
    <>
      <EditorHeader>
        <RadioButtonGroup
          size="sm"
          aria-label="Editor mode"
          options={modes}
          value={mode}
          onChange={(next) => (pending && next !== mode ? setAsking(true) : changeMode(next))}
        />
        <FlexItem grow={1} />
        <Button
          size="sm"
          variant="secondary"
          icon={loading ? 'spinner' : 'play'}
          aria-busy={loading}
          onClick={onRunQuery}
        >
          Run query
        </Button>
      </EditorHeader>
      <Space v={0.5} />
      {mistake !== undefined && (
        <Alert severity="warning" title="The stored query could not be read">
          {mistake}. Below is a new one; changing it replaces the stored one.
        </Alert>
      )}
      {mode === 'builder' ? (
        <QueryBuilder query={query} values={values} onChange={onChange} onRun={run} />
      ) : (
        <QueryCodeEditor query={query} onChange={run} onPending={setPending} />
      )}
      {failed !== undefined && (
        <>
          <Space v={0.5} />
          <Alert severity="error" title="The query failed">
            {failed}
          </Alert>
        </>
      )}
      <ConfirmModal
        isOpen={asking}
        title="Discard the text?"
        body="The text has a mistake, so it is not the query yet. The builder shows the query as it was before."
        confirmText="Discard"
        onConfirm={() => changeMode('builder')}
        onDismiss={() => setAsking(false)}
      />
    </>
  );
}
