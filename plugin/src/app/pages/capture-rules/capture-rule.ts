/** Capture rules as the API has them, and as the form edits them. */
import { parseFilter } from '@netspectra/query';

export const captureActions = ['capture', 'drop', 'sample', 'payload'] as const;
export type CaptureActionType = (typeof captureActions)[number];

export type CaptureAction =
  | { readonly type: 'capture' | 'drop' }
  | { readonly type: 'sample'; readonly rate: number }
  | { readonly type: 'payload'; readonly snapLength: number };

/** What is written; the API knows further keys of what is read, which go back unchanged or not at all. */
export interface CaptureRuleBody {
  readonly name: string;
  readonly description?: string;
  readonly enabled: boolean;
  readonly probes: readonly string[];
  readonly filter: string;
  readonly action: CaptureAction;
  readonly priority: number;
}

export interface CaptureRule extends CaptureRuleBody {
  readonly id: string;
  readonly version: number;
  readonly updatedAtMs: number;
  readonly updatedBy: { readonly name: string; readonly onBehalfOf: string };
  readonly kernel:
    | { readonly ok: true; readonly text: string; readonly exact: boolean; readonly reasons: readonly string[] }
    | { readonly ok: false; readonly reasons: readonly string[] };
}

/** The form's fields: texts as they are typed. */
export interface CaptureDraft {
  readonly name: string;
  readonly description: string;
  readonly enabled: boolean;
  readonly probes: string;
  readonly filter: string;
  readonly action: CaptureActionType;
  readonly rate: string;
  readonly snapLength: string;
  readonly priority: string;
}
export type DraftField = keyof CaptureDraft;

export const newDraft: CaptureDraft = {
  name: '',
  description: '',
  enabled: true,
  probes: '*',
  filter: '',
  action: 'drop',
  rate: '10',
  snapLength: '128',
  priority: '100',
};

export function draftOf({ action, probes, description = '', priority, ...rest }: CaptureRuleBody): CaptureDraft {
  return {
    name: rest.name,
    enabled: rest.enabled,
    filter: rest.filter,
    description,
    probes: probes.join(', '),
    action: action.type,
    rate: action.type === 'sample' ? String(action.rate) : newDraft.rate,
    snapLength: action.type === 'payload' ? String(action.snapLength) : newDraft.snapLength,
    priority: String(priority),
  };
}

const probesOf = (text: string): string[] => text.split(/[\s,]+/).filter((each) => each !== '');
const probePattern = /^[A-Za-z0-9._*-]{1,63}$/;

/** One line for each field with a mistake. The API's own limits; it checks again. */
export function draftProblems(draft: CaptureDraft): Partial<Record<DraftField, string>> {
  const probes = probesOf(draft.probes);
  const wrongProbe = probes.find((probe) => !probePattern.test(probe));
  const found: Partial<Record<DraftField, string | undefined>> = {
    name: draft.name.trim() === '' ? 'a name is needed' : undefined,
    probes:
      probes.length === 0
        ? 'ids of probes, * for all'
        : wrongProbe === undefined
          ? undefined
          : `${wrongProbe} is no id of a probe: letters, digits, . _ - and *`,
    filter: parseFilter(draft.filter).ok ? undefined : 'the filter has a mistake',
    rate: draft.action === 'sample' ? wholeNumber(draft.rate, 2, 1_000_000) : undefined,
    snapLength: draft.action === 'payload' ? wholeNumber(draft.snapLength, 64, 65_535) : undefined,
    priority: wholeNumber(draft.priority, 0, 1_000_000),
  };
  return Object.fromEntries(Object.entries(found).filter(([, problem]) => problem !== undefined));
}

function wholeNumber(text: string, min: number, max: number): string | undefined {
  const value = Number(text);
  return text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max
    ? undefined
    : `a whole number from ${min} to ${max.toLocaleString('en')}`;
}

/** The body of a draft without mistakes. */
export function bodyOf(draft: CaptureDraft): CaptureRuleBody {
  const action: CaptureAction =
    draft.action === 'sample'
      ? { type: 'sample', rate: Number(draft.rate) }
      : draft.action === 'payload'
        ? { type: 'payload', snapLength: Number(draft.snapLength) }
        : { type: draft.action };
  return {
    name: draft.name.trim(),
    ...(draft.description.trim() === '' ? {} : { description: draft.description.trim() }),
    enabled: draft.enabled,
    probes: probesOf(draft.probes),
    filter: draft.filter.trim(),
    action,
    priority: Number(draft.priority),
  };
}

/** `take one of 10` */
export function actionText(action: CaptureAction): string {
  switch (action.type) {
    case 'capture':
      return 'Capture';
    case 'drop':
      return 'Leave out';
    case 'sample':
      return `Take one of ${action.rate.toLocaleString('en')}`;
    case 'payload':
      return `Keep ${action.snapLength.toLocaleString('en')} bytes`;
  }
}

/** Where the filter runs, in words. */
export function kernelText(kernel: CaptureRule['kernel']): string {
  if (!kernel.ok) return `In the probe: ${kernel.reasons.join('; ')}`;
  if (!kernel.exact) return `In the kernel, the rest in the probe: ${kernel.reasons.join('; ')}`;
  return kernel.text === '' ? 'In the kernel: every packet' : `In the kernel: ${kernel.text}`;
}
