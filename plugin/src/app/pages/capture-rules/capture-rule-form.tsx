/** Make or change a capture rule. */
import { Alert, Button, Combobox, Drawer, Field, Input, Stack, Switch, TextArea } from '@grafana/ui';
import { useMemo, useState } from 'react';
import { FilterField } from '../../../datasource/editor/filter-field.js';
import { valuesOfSource } from '../../shared/values.js';
import { callResource, resourceErrorOf } from '../../shared/resources.js';
import type { ResourceError } from '../../shared/resources.js';
import type { CaptureActionType, CaptureDraft, CaptureRule, DraftField } from './capture-rule.js';
import { bodyOf, draftOf, draftProblems, newDraft } from './capture-rule.js';

interface Props {
  readonly uid: string;
  /** absent: a new one */
  readonly rule: CaptureRule | undefined;
  readonly onDone: () => void;
  readonly onDismiss: () => void;
}

const actions: { value: CaptureActionType; label: string; description: string }[] = [
  { value: 'capture', label: 'Capture', description: 'Take them, whatever rules below say' },
  { value: 'drop', label: 'Leave out', description: 'They are counted as left out' },
  { value: 'sample', label: 'Sample', description: 'Take one of so many, and multiply what is counted' },
  { value: 'payload', label: 'Cut short', description: 'Take them and keep their first bytes only' },
];

export function CaptureRuleForm({ uid, rule, onDone, onDismiss }: Props) {
  const [draft, setDraft] = useState<CaptureDraft>(rule ? draftOf(rule) : newDraft);
  const [tried, setTried] = useState(false);
  const [saving, setSaving] = useState(false);
  const [failure, setFailure] = useState<ResourceError>();
  const values = useMemo(() => valuesOfSource(uid), [uid]);
  const problems = draftProblems(draft);
  const set = (part: Partial<CaptureDraft>): void => setDraft({ ...draft, ...part });
  const problemAt = (field: DraftField, pointer: string): string | undefined =>
    failure?.fields[pointer] ?? (tried ? problems[field] : undefined);
  const wrong = (field: DraftField, pointer = `/${field}`): { invalid: boolean; error: string | undefined } => {
    const error = problemAt(field, pointer);
    return { invalid: error !== undefined, error };
  };

  const save = async (): Promise<void> => {
    setTried(true);
    if (Object.keys(problems).length > 0) return;
    setSaving(true);
    try {
      if (rule) {
        await callResource(uid, `capture-rules/${rule.id}`, {
          method: 'PUT',
          body: bodyOf(draft),
          ifMatch: `"${rule.version}"`,
        });
      } else await callResource(uid, 'capture-rules', { method: 'POST', body: bodyOf(draft) });
      onDone();
    } catch (error) {
      setFailure(resourceErrorOf(error));
      setSaving(false);
    }
  };
  return (
    <Drawer title={rule ? `Edit ${rule.name}` : 'New capture rule'} size="md" onClose={onDismiss}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {failure !== undefined && (
          <Alert
            severity="error"
            title={failure.status === 412 ? 'Somebody else changed this rule' : 'The rule was not saved'}
          >
            {failure.status === 412
              ? 'Close this form to see it as it is now, and make your change again.'
              : failure.message}
          </Alert>
        )}
        <Field label="Name" required htmlFor="rule-name" {...wrong('name')}>
          <Input
            id="rule-name"
            value={draft.name}
            maxLength={200}
            onChange={(event) => set({ name: event.currentTarget.value })}
          />
        </Field>
        <Field label="Description" htmlFor="rule-description" {...wrong('description')}>
          <TextArea
            id="rule-description"
            rows={2}
            value={draft.description}
            onChange={(event) => set({ description: event.currentTarget.value })}
          />
        </Field>
        <Field label="Packets" description="Which it is about; empty: all" {...wrong('filter')}>
          <FilterField
            label="Packets"
            value={draft.filter}
            values={values}
            onChange={(filter) => set({ filter })}
            onRun={(filter) => set({ filter })}
          />
        </Field>
        <Field label="Action" htmlFor="rule-action" {...wrong('action')}>
          <Combobox
            id="rule-action"
            options={actions}
            value={draft.action}
            onChange={({ value }) => set({ action: value })}
          />
        </Field>
        {draft.action === 'sample' && (
          <Field label="One of" htmlFor="rule-rate" {...wrong('rate', '/action/rate')}>
            <Input
              id="rule-rate"
              width={20}
              inputMode="numeric"
              value={draft.rate}
              onChange={(event) => set({ rate: event.currentTarget.value })}
            />
          </Field>
        )}
        {draft.action === 'payload' && (
          <Field label="Bytes of each packet" htmlFor="rule-snap" {...wrong('snapLength', '/action/snapLength')}>
            <Input
              id="rule-snap"
              width={20}
              inputMode="numeric"
              value={draft.snapLength}
              onChange={(event) => set({ snapLength: event.currentTarget.value })}
            />
          </Field>
        )}
        <Field
          label="Probes"
          description="Ids with commas between; * is any run of characters"
          required
          htmlFor="rule-probes"
          {...wrong('probes')}
        >
          <Input
            id="rule-probes"
            value={draft.probes}
            onChange={(event) => set({ probes: event.currentTarget.value })}
          />
        </Field>
        <Field label="Priority" description="The highest decides" htmlFor="rule-priority" {...wrong('priority')}>
          <Input
            id="rule-priority"
            width={20}
            inputMode="numeric"
            value={draft.priority}
            onChange={(event) => set({ priority: event.currentTarget.value })}
          />
        </Field>
        <Field label="On" htmlFor="rule-enabled">
          <Switch
            id="rule-enabled"
            value={draft.enabled}
            onChange={(event) => set({ enabled: event.currentTarget.checked })}
          />
        </Field>
        <Stack direction="row" gap={1}>
          <Button type="submit" disabled={saving}>
            Save
          </Button>
          <Button type="button" variant="secondary" onClick={onDismiss}>
            Cancel
          </Button>
        </Stack>
      </form>
    </Drawer>
  );
}
