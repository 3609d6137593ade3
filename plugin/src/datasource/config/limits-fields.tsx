/** Timeout and limits of the datasource. */
import { Field, Input } from '@grafana/ui';
import { useState } from 'react';
import { limitBounds } from '../../../server/src/contract/settings.js';
import type { ConfigEditorProps } from './props.js';
import type { LimitName } from './limits.js';
import { limitNames, limitProblem, limitText, withLimit } from './limits.js';

const words: Readonly<Record<LimitName, { label: string; description: string; suffix: string }>> = {
  timeoutSeconds: { label: 'Timeout', description: 'A request that takes longer is given up', suffix: 'seconds' },
  rows: { label: 'Rows', description: 'Rows of one answer', suffix: 'rows' },
  rangeHours: { label: 'Time range', description: 'The longest that may be asked for', suffix: 'hours' },
  requests: { label: 'Requests at once', description: 'Further ones wait', suffix: 'requests' },
};

export function LimitsFields({ options, onOptionsChange }: ConfigEditorProps) {
  const [texts, setTexts] = useState<Partial<Record<LimitName, string>>>({});
  return (
    <>
      {limitNames.map((name) => {
        const text = texts[name] ?? limitText(options.jsonData, name);
        const problem = limitProblem(name, text);
        const { label, description, suffix } = words[name];
        return (
          <Field
            key={name}
            label={label}
            description={description}
            htmlFor={`netspectra-${name}`}
            invalid={problem !== undefined}
            error={problem}
          >
            <Input
              id={`netspectra-${name}`}
              width={30}
              inputMode="numeric"
              suffix={suffix}
              placeholder={String(limitBounds[name].fallback)}
              value={text}
              onChange={(event) => {
                const typed = event.currentTarget.value;
                setTexts({ ...texts, [name]: typed });
                // What is wrong stays on the page and is not stored.
                if (limitProblem(name, typed) !== undefined) return;
                onOptionsChange({ ...options, jsonData: withLimit(options.jsonData, name, typed) });
              }}
            />
          </Field>
        );
      })}
    </>
  );
}
