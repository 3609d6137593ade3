/** The query as text. */
import { CodeEditor, Field } from '@grafana/ui';
import { useState } from 'react';
import type { NetSpectraQuery } from '../types.js';
import { codeOf, queryOfCode } from './code.js';

interface Props {
  readonly query: NetSpectraQuery;
  readonly onChange: (query: NetSpectraQuery) => void;
  /** the text holds something that is not in the query */
  readonly onPending: (pending: boolean) => void;
}

/** JSON of the query; it becomes the query when the editor is left and there is no mistake in it. */
export function QueryCodeEditor({ query, onChange, onPending }: Props) {
  const [problem, setProblem] = useState<string>();
  const take = (text: string): void => {
    const result = queryOfCode(text, query);
    const wrong = typeof result === 'string' ? result : undefined;
    setProblem(wrong);
    onPending(wrong !== undefined);
    if (typeof result !== 'string' && codeOf(result) !== codeOf(query)) onChange(result);
  };
  return (
    <Field
      noMargin
      label="Query as JSON"
      description="The keys of POST /api/v1/query; variables may stand in every text"
      invalid={problem !== undefined}
      error={problem}
    >
      <CodeEditor
        language="json"
        value={codeOf(query)}
        height={220}
        showMiniMap={false}
        showLineNumbers
        onBlur={take}
        onSave={take}
      />
    </Field>
  );
}
