/** Capture rules: what probes take, leave out, sample or cut. */
import { PluginPage } from '@grafana/runtime';
import type { Column } from '@grafana/ui';
import { Alert, Badge, Button, ConfirmModal, EmptyState, InteractiveTable, Stack, Text } from '@grafana/ui';
import { useCallback, useState } from 'react';
import { timeText } from '../../shared/format.js';
import { Muted } from '../../shared/muted.js';
import { PageState } from '../../shared/page-state.js';
import { may } from '../../shared/permissions.js';
import { callResource, resourceErrorOf } from '../../shared/resources.js';
import { useSourceUid } from '../../shared/source.js';
import { useData } from '../../shared/use-data.js';
import type { CaptureRule } from './capture-rule.js';
import { actionText, kernelText } from './capture-rule.js';
import { CaptureRuleForm } from './capture-rule-form.js';

/** More rules than these on one page are more than anybody reads. */
const pageLimit = 500;

export function CaptureRulesPage() {
  const uid = useSourceUid();
  const loaded = useData(
    useCallback(async () => {
      const { captureRules } = await callResource<{ captureRules: CaptureRule[] }>(uid, 'capture-rules', {
        params: { limit: pageLimit },
      });
      return captureRules;
    }, [uid]),
  );
  const [edited, setEdited] = useState<CaptureRule | 'new'>();
  const [removing, setRemoving] = useState<CaptureRule>();
  const [problem, setProblem] = useState<string>();
  const mayChange = may('changeCaptureRules');

  const remove = async (rule: CaptureRule): Promise<void> => {
    setRemoving(undefined);
    try {
      await callResource(uid, `capture-rules/${rule.id}`, { method: 'DELETE', ifMatch: `"${rule.version}"` });
      setProblem(undefined);
    } catch (error) {
      setProblem(resourceErrorOf(error).message);
    }
    loaded.reload();
  };
  const newButton = mayChange && (
    <Button icon="plus" onClick={() => setEdited('new')}>
      New capture rule
    </Button>
  );
  return (
    <PluginPage
      subTitle="What probes take, leave out, sample or cut short. Of the rules that keep a packet the one with the highest priority decides."
      actions={newButton}
    >
      {problem !== undefined && (
        <Alert severity="error" title="Could not delete the rule" onRemove={() => setProblem(undefined)}>
          {problem}
        </Alert>
      )}
      <PageState loaded={loaded} what="the capture rules">
        {(rules) =>
          rules.length === 0 ? (
            <EmptyState variant="call-to-action" message="No capture rules" button={newButton || undefined}>
              Probes take every packet.{!mayChange && ' Administrators can make rules.'}
            </EmptyState>
          ) : (
            <InteractiveTable
              columns={columnsFor(mayChange, setEdited, setRemoving)}
              data={[...rules]}
              getRowId={({ id }) => id}
              pageSize={25}
              renderExpandedRow={(rule) => <Details rule={rule} />}
            />
          )
        }
      </PageState>
      {edited !== undefined && (
        <CaptureRuleForm
          uid={uid}
          rule={edited === 'new' ? undefined : edited}
          onDone={() => {
            setEdited(undefined);
            loaded.reload();
          }}
          onDismiss={() => setEdited(undefined)}
        />
      )}
      <ConfirmModal
        isOpen={removing !== undefined}
        title="Delete the capture rule?"
        body={`${removing?.name ?? ''} goes; its history stays.`}
        confirmText="Delete"
        onConfirm={() => removing && void remove(removing)}
        onDismiss={() => setRemoving(undefined)}
      />
    </PluginPage>
  );
}

type Cell = { readonly row: { readonly original: CaptureRule } };

function columnsFor(
  mayChange: boolean,
  edit: (rule: CaptureRule) => void,
  remove: (rule: CaptureRule) => void,
): Column<CaptureRule>[] {
  const columns: Column<CaptureRule>[] = [
    { id: 'name', header: 'Name', sortType: 'string' },
    { id: 'action', header: 'Does', cell: ({ row: { original } }: Cell) => actionText(original.action) },
    {
      id: 'filter',
      header: 'With',
      cell: ({ row: { original } }: Cell) => <code>{original.filter || 'everything'}</code>,
    },
    { id: 'probes', header: 'On', cell: ({ row: { original } }: Cell) => original.probes.join(', ') },
    { id: 'priority', header: 'Priority', sortType: 'number' },
    {
      id: 'enabled',
      header: 'State',
      cell: ({ row: { original } }: Cell) => (
        <Badge color={original.enabled ? 'green' : 'darkgrey'} text={original.enabled ? 'On' : 'Off'} />
      ),
    },
  ];
  if (!mayChange) return columns;
  const buttons: Column<CaptureRule> = {
    id: 'change',
    header: '',
    disableGrow: true,
    cell: ({ row: { original } }: Cell) => (
      <Stack direction="row" gap={0.5}>
        <Button
          size="sm"
          variant="secondary"
          icon="pen"
          aria-label={`Edit ${original.name}`}
          onClick={() => edit(original)}
        />
        <Button
          size="sm"
          variant="secondary"
          icon="trash-alt"
          aria-label={`Delete ${original.name}`}
          onClick={() => remove(original)}
        />
      </Stack>
    ),
  };
  return [...columns, buttons];
}

function Details({ rule }: { readonly rule: CaptureRule }) {
  const { name, onBehalfOf } = rule.updatedBy;
  return (
    <Stack direction="column" gap={0.5}>
      {rule.description !== undefined && <Text>{rule.description}</Text>}
      <Muted>{kernelText(rule.kernel)}</Muted>
      <Muted>
        Version {rule.version}, changed {timeText(rule.updatedAtMs)} by{' '}
        {onBehalfOf === '' ? name : `${onBehalfOf} (${name})`}
      </Muted>
    </Stack>
  );
}
