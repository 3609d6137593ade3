/** Completion: what could be typed at the cursor, best first. No DOM, no editor: a Monaco provider maps it one to one. */
import { meansField, pairProblem } from '../field-pairs.js';
import type { FilterField } from '../fields.js';
import { fieldTables, filterFields } from '../fields.js';
import { quoteText } from '../lexer.js';
import { compareOperator, protocolWords } from '../words.js';
import type { DimensionId } from '../../registry/dimensions.js';
import { contextAt } from './context.js';
import type { CursorContext } from './context.js';
import { operatorsOf } from './operators.js';
import { knownValues, writtenText } from './values.js';

export type CompletionKind = 'field' | 'operator' | 'value' | 'keyword' | 'function' | 'snippet';

export interface Completion {
  readonly label: string;
  readonly kind: CompletionKind;
  /** text to put in place of replaceFrom .. replaceTo */
  readonly insert: string;
  /** UTF-16 units from the start of the text */
  readonly replaceFrom: number;
  readonly replaceTo: number;
  /** a few words beside the label */
  readonly detail: string;
  /** a sentence or two */
  readonly documentation: string;
}

export interface CompletionOptions {
  /** values of the dimension that an earlier answer asked for (`wantsValues`), as GET /values gives them */
  readonly values?: readonly (string | number)[];
}

export interface CompletionResult {
  readonly items: readonly Completion[];
  /** live values would help here: fetch those of this dimension that begin so, and ask again with `values` */
  readonly wantsValues?: { readonly dimension: DimensionId; readonly prefix: string };
}

/** More are no help. */
const itemsMax = 200;
/** Values that are offered before anything is typed. */
const untypedMax = 50;

interface Offer {
  readonly label: string;
  readonly kind: CompletionKind;
  readonly detail: string;
  readonly documentation?: string;
  /** absent: the label */
  readonly insert?: string;
  /** other words that find it */
  readonly words?: readonly string[];
}

/** What could be typed at `offset` (0 .. text.length, others are clamped), also in wrong and unfinished texts. */
export function completeFilter(text: string, offset: number, options: CompletionOptions = {}): CompletionResult {
  const context = contextAt(text, Math.max(0, Math.min(Math.trunc(offset), text.length)));
  const offers = context.quote === '' ? offersOf(context, options) : textOffers(context, options);
  const items = ranked(offers, context.prefix).map(({ label, kind, detail, documentation = '', insert = label }) => ({
    label,
    kind,
    insert,
    replaceFrom: context.replaceFrom,
    replaceTo: context.replaceTo,
    detail,
    documentation,
  }));
  const dimension = valuesOf(context);
  return dimension === undefined ? { items } : { items, wantsValues: { dimension, prefix: context.prefix } };
}

/** The dimension whose values stand here; an either-direction word has those of its first part. */
function valuesOf({ expected, field }: CursorContext): DimensionId | undefined {
  if (!field || (expected !== 'value' && expected !== 'listValue' && expected !== 'pattern')) return undefined;
  return field.either?.[0] ?? field.dimension;
}

function offersOf(context: CursorContext, options: CompletionOptions): Offer[] {
  const { expected, field } = context;
  switch (expected) {
    case 'term':
      return [...fieldOffers(), ...termOffers];
    case 'operator':
      return [...sideOffers(context), ...operatorOffers(field)];
    case 'value':
      return [...listOffers(context), ...valueOffers(context, options), ...pairOffers(context)];
    case 'listValue':
      return valueOffers(context, options);
    case 'pattern':
      return patternOffers(context, options);
    case 'listNext':
      return [mark(',', 'the next value', ', '), mark(')', 'end of the list')];
    case 'next':
      return nextOffers(context);
    case 'nothing':
      return [];
  }
}

const mark = (label: string, detail: string, insert = label): Offer => ({ label, kind: 'operator', detail, insert });
const keyword = (label: string, detail: string, documentation = ''): Offer => ({
  label,
  kind: 'keyword',
  detail,
  documentation,
});

const kindWords: Readonly<Record<FilterField['kind'], string>> = {
  address: 'address or network',
  number: 'number',
  count: 'count such as 10k',
  size: 'size such as 1MB',
  duration: 'duration such as 5s',
  text: 'text',
};

function fieldOffer(field: FilterField): Offer {
  const names = field.names === undefined ? '' : ' or name';
  const tables = `In ${fieldTables(field).join(', ')}.`;
  const others = field.aliases.length === 0 ? '' : ` Also ${field.aliases.join(', ')}.`;
  return {
    label: field.id,
    kind: 'field',
    detail: `${kindWords[field.kind]}${names}`,
    documentation: `${field.description} ${tables}${others}`,
    words: field.aliases,
  };
}

const fieldOffers = (): Offer[] => filterFields.map(fieldOffer);

const termOffers: readonly Offer[] = [
  keyword('not', 'opposite', 'What follows must not hold.'),
  { label: '( )', kind: 'snippet', detail: 'brackets', insert: '(' },
  ...[...protocolWords.keys()].map((word) =>
    keyword(word, 'protocol', `Packets of ${word}; may be followed by a port.`),
  ),
];

function operatorOffers(field: FilterField | undefined): Offer[] {
  return operatorsOf(field).map(({ sign, detail, documentation }) => ({
    label: sign,
    kind: 'operator',
    detail,
    documentation,
  }));
}

/** `src` is a field, and the first half of `src port`. */
function sideOffers({ side }: CursorContext): Offer[] {
  if (side === undefined) return [];
  return ['host', 'net', 'port'].map((word) => keyword(word, `${side} ${word}`));
}

function listOffers({ operator, prefix }: CursorContext): Offer[] {
  if (operator !== 'in' || prefix !== '') return [];
  return [
    {
      label: '( )',
      kind: 'snippet',
      detail: 'list',
      documentation: 'Values in brackets, commas between.',
      insert: '(',
    },
  ];
}

function valueOffers({ field, prefix }: CursorContext, options: CompletionOptions): Offer[] {
  if (!field) return [];
  const live = liveTexts(field, options).map((text): Offer => ({ label: text, kind: 'value', detail: 'seen' }));
  // Before anything is typed a few will do; the fields that can be compared with come behind them.
  const known = knownValues(field, prefix)
    .slice(0, prefix === '' ? untypedMax : undefined)
    .map(({ text, ...rest }): Offer => ({ label: text, kind: 'value', ...rest }));
  return [...live, ...known];
}

function liveTexts(field: FilterField, { values = [] }: CompletionOptions): string[] {
  return values.map((value) => (field.kind === 'text' ? writtenText(String(value)) : String(value)));
}

/** Fields that can stand on the right side. */
function pairOffers({ field, operator }: CursorContext): Offer[] {
  const compare = compareOperator(operator ?? '');
  if (!field || compare === undefined) return [];
  const tables = fieldTables(field);
  return filterFields
    .filter((other) => other.id !== field.id && meansField(field, other.id, other))
    .filter((other) => pairProblem(field, compare, other) === undefined)
    .filter((other) => fieldTables(other).some((table) => tables.includes(table)))
    .map(fieldOffer);
}

function patternOffers({ field }: CursorContext, options: CompletionOptions): Offer[] {
  if (field?.kind !== 'text') return [];
  const example = field.id.endsWith('path') ? '"/api/*"' : '"*.example.org"';
  return [
    { label: example, kind: 'snippet', detail: 'pattern with * and ?' },
    { label: '/^$/', kind: 'snippet', detail: 'regular expression', insert: '/^/' },
    ...(options.values ?? []).map((value): Offer => ({
      label: quoteText(String(value)),
      kind: 'value',
      detail: 'seen',
    })),
  ];
}

/** Inside quotes: texts, quoted whatever they are. */
function textOffers({ field }: CursorContext, options: CompletionOptions): Offer[] {
  if (!field) return [];
  const known = knownValues(field, '').map(({ text }) => text.replace(/^"(.*)"$/, '$1'));
  const live = (options.values ?? []).map(String);
  return [...new Set([...live, ...known])].map((text) => ({
    label: text,
    kind: 'value',
    detail: live.includes(text) ? 'seen' : field.label,
    insert: quoteText(text),
  }));
}

function nextOffers({ depth, afterProtocol, field }: CursorContext): Offer[] {
  const offers = [keyword('and', 'both', 'Binds tighter than "or".'), keyword('or', 'either')];
  if (depth > 0) offers.push({ ...mark(')', 'end of the bracket') });
  if (afterProtocol) {
    for (const word of ['port', 'src port', 'dst port', 'host', 'net']) offers.push(keyword(word, 'of this protocol'));
    if (field) offers.push(...operatorOffers(field)); // vlan and ip are fields too
  }
  return offers;
}

/** Those that fit what was typed: as their beginning, then as a beginning of another word for them, then inside. */
function ranked(offers: readonly Offer[], prefix: string): Offer[] {
  const typed = prefix.toLowerCase();
  const seen = new Set<string>();
  const found: Offer[][] = [[], [], []];
  for (const offer of offers) {
    const rank = rankOf(offer, typed);
    const key = `${offer.kind} ${offer.label}`;
    if (rank === undefined || seen.has(key)) continue;
    seen.add(key);
    found[rank]!.push(offer);
  }
  return found.flat().slice(0, itemsMax);
}

function rankOf({ label, words = [] }: Offer, typed: string): 0 | 1 | 2 | undefined {
  const small = label.toLowerCase();
  if (small.startsWith(typed) || small.startsWith(`"${typed}`)) return 0;
  if (words.some((word) => word.startsWith(typed))) return 1;
  return typed.length > 1 && small.includes(typed) ? 2 : undefined;
}
