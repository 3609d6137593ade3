/** The operators with what an editor says about them. */
import type { FilterField } from '../fields.js';

export interface OperatorInfo {
  readonly sign: string;
  readonly detail: string;
  readonly documentation: string;
}

const info = (sign: string, detail: string, documentation: string): OperatorInfo => ({ sign, detail, documentation });

const equality = [
  info('=', 'equal', 'Holds when the field is the value; with a network, a range or a list as "in".'),
  info('!=', 'not equal', 'Holds when the field is there and is not the value.'),
];
const membership = [
  info('in', 'one of', 'A list in brackets, a range first..last, a network: in (80, 443), in 1..1023, in 10.0.0.0/8.'),
  info('not in', 'none of', 'Holds when the field is there and is none of these.'),
];
const order = [
  info('>', 'more than', 'Order of numbers.'),
  info('>=', 'at least', 'Order of numbers.'),
  info('<', 'less than', 'Order of numbers.'),
  info('<=', 'at most', 'Order of numbers.'),
];
const patterns = [
  info(
    '~',
    'like a pattern',
    'The whole text, any case: * is any run of characters, ? is one. Or /a regular expression/.',
  ),
  info('!~', 'not like a pattern', 'Holds when the field is there and does not fit the pattern.'),
  info('=~', 'regular expression', 'Found anywhere in the text: =~ /^api\\./, with i behind it for any case.'),
];
const logic = [
  info('and', 'both', 'Binds tighter than "or". Also written &&.'),
  info('or', 'either', 'Also written ||.'),
  info(
    'not',
    'opposite',
    'Binds tightest. Absent values fail every comparison, and "not" turns that round. Also written !.',
  ),
];

/** The operators a field takes, the likeliest first; all of them when the field is not known. */
export function operatorsOf(field: FilterField | undefined): readonly OperatorInfo[] {
  switch (field?.kind) {
    case 'address':
      return [...equality, ...membership];
    case 'text':
      return [...equality, ...patterns, ...membership];
    case 'number':
      return [...equality, ...membership, ...order];
    case undefined:
      return [...equality, ...membership, ...order, ...patterns];
    default:
      return [...order, ...equality, ...membership];
  }
}

const aliases: Readonly<Record<string, string>> = { '==': '=', '<>': '!=', '&&': 'and', '||': 'or', '!': 'not' };
const all = new Map([...operatorsOf(undefined), ...logic].map((operator) => [operator.sign, operator]));

/** What an operator or keyword means, as written in a filter; undefined when there is none. */
export function findOperator(sign: string): OperatorInfo | undefined {
  const small = sign.toLowerCase();
  return all.get(Object.hasOwn(aliases, small) ? aliases[small]! : small);
}
