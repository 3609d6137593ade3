/** The right sides of comparisons: values, ranges, lists and patterns, checked against the field's kind and limits. */
import { compareAddresses, parseAddress, parseNetwork } from './address.js';
import type { FilterItem, FilterPattern } from './ast.js';
import { nearest, quoted } from './errors.js';
import type { FieldId, FilterField } from './fields.js';
import { findField } from './fields.js';
import { quoteText } from './lexer.js';
import type { LexicalToken } from './lexer.js';
import { filterLimits } from './limits.js';
import { looksNumeric, parseNumber } from './numbers.js';
import { parseRegex } from './regex.js';
import { meansField } from './field-pairs.js';
import { keywords, TokenCursor } from './token-cursor.js';
import type { NameTable } from '../registry/dimensions.js';
import { namesOf, numberOf } from '../registry/names.js';

export type Field = FilterField & { readonly id: FieldId };

const nameWords: Readonly<Record<NameTable, string>> = {
  protocol: 'protocol',
  service: 'service',
  ether_type: 'EtherType',
  end_reason: 'end reason',
  asn: 'AS number',
  traffic_direction: 'traffic direction',
  icmp_type: 'ICMP type',
  dscp: 'DSCP name',
  tcp_flags: 'TCP flag',
};

const article = (kind: FilterField['kind']): string =>
  kind === 'address'
    ? 'an address, a network (10.0.0.0/8) or a range'
    : kind === 'text'
      ? 'a word or quoted text'
      : kind === 'size'
        ? 'a size such as 1MB'
        : kind === 'duration'
          ? 'a duration such as 5s'
          : 'a number';

export class ValueParser extends TokenCursor {
  protected single(field: Field): FilterItem[] | undefined {
    const item = this.item(field);
    return item && [item];
  }

  protected list(field: Field): FilterItem[] | undefined {
    const open = this.token();
    this.at += 1;
    const items: FilterItem[] = [];
    while (!this.isPunctuation(')') || items.length === 0) {
      if (items.length === filterLimits.listItemsMax) {
        this.failHere(`A list has at most ${filterLimits.listItemsMax} values`);
        return this.leaveList();
      }
      const item = this.item(field);
      if (!item) return this.leaveList();
      items.push(item);
      if (this.isPunctuation(',')) this.at += 1;
      else if (!this.isPunctuation(')')) {
        if (this.token().kind === 'end') this.fail(open, 'This ( is not closed');
        else this.failHere('Expected , or ) in the list');
        return this.leaveList();
      }
    }
    this.at += 1;
    return items;
  }

  /** After an error in a list: behind its closing bracket, so that this one is not taken for another's. */
  private leaveList(): undefined {
    this.recover();
    if (this.isPunctuation(')')) this.at += 1;
    return undefined;
  }

  protected item(field: Field): FilterItem | undefined {
    const from = this.token();
    const first = this.value(field);
    if (!first || !this.isOperator('..')) return first;
    const dots = this.token();
    this.at += 1;
    const to = this.token();
    const last = this.value(field);
    if (!last) return undefined;
    const backwards = `${this.source(to)}..${this.source(from)}`;
    const whole = { offset: from.offset, length: to.offset + to.length - from.offset };
    if (first.kind === 'number' && last.kind === 'number') {
      if (first.value > last.value) return this.fail(whole, 'This range goes backwards', backwards);
      return { kind: 'numberRange', first: first.value, last: last.value };
    }
    if (first.kind === 'address' && last.kind === 'address') {
      if (compareAddresses(first.words, last.words) > 0)
        return this.fail(whole, 'This range goes backwards', backwards);
      return { kind: 'addressRange', first: first.words, last: last.words };
    }
    return this.fail(
      dots,
      field.kind === 'text' ? `${field.id} is text and has no ranges` : 'A range goes between two addresses',
    );
  }

  /** One value of the field's kind; moves on only when it is good. */
  private value(field: Field): FilterItem | undefined {
    const token = this.token();
    // A keyword can be a value's name too: traffic_direction = in.
    const isName = field.names !== undefined && numberOf(field.names, token.text) !== undefined;
    const isWord = token.kind === 'word' && (isName || !keywords.has(token.text.toLowerCase()));
    if (!isWord && token.kind !== 'string') {
      const quoteIt = token.kind === 'word' && field.kind === 'text' ? quoteText(token.text) : undefined;
      return this.failHere(`Expected ${article(field.kind)}`, quoteIt);
    }
    const item = this.readValue(field, token);
    if (item) this.at += 1;
    return item;
  }

  /** One number; moves on only when it is good. */
  protected wholeNumber(field: Field): number | undefined {
    const item = this.value(field);
    if (item && item.kind !== 'number') throw new Error(`a ${field.kind} field gave a ${item.kind}`);
    return item?.value;
  }

  private readValue(field: Field, token: LexicalToken): FilterItem | undefined {
    const other = token.kind === 'word' ? findField(token.text) : undefined;
    if (other && meansField(field, token.text, other)) {
      this.role('field');
      return this.failHere(`${other.id} is a field; a field is compared with = != < <= > or >=, outside of lists`);
    }
    if (field.kind === 'text') {
      this.role(token.kind === 'string' ? 'text' : 'name');
      if (token.kind === 'word' && /[*?]/.test(token.text)) {
        return this.failHere(
          'Patterns with * or ? need the operator ~; quote the value to mean the character',
          quoteText(token.text),
        );
      }
      return { kind: 'text', text: token.text };
    }
    if (field.kind === 'address') return this.addressOf(field, token);
    if (field.names !== undefined && !looksNumeric(token.text)) {
      const value = numberOf(field.names, token.text);
      this.role('name');
      if (value !== undefined) return { kind: 'number', value };
      const near = nearest(token.text, namesOf(field.names));
      const what = nameWords[field.names];
      const hint = near === undefined ? '; use its number' : `; did you mean ${near}?`;
      return this.failHere(`Unknown ${what} ${quoted(token.text)}${hint}`, near);
    }
    this.role('number');
    const result = parseNumber(token.text, field.kind, field.maximum);
    if ('value' in result) return { kind: 'number', value: result.value };
    const dashed = rangeWord(token.text, field);
    if (dashed) return this.failHere('A range is written with two dots', token.text.replace('-', '..'));
    const expected = looksNumeric(token.text)
      ? result.message
      : `Expected ${article(field.kind)}, found ${quoted(token.text)}`;
    return this.failHere(`${field.id}: ${expected}`, result.suggestion);
  }

  private addressOf(field: Field, token: LexicalToken): FilterItem | undefined {
    this.role('address');
    const words = parseAddress(token.text);
    if (words) return { kind: 'address', words };
    const network = parseNetwork(token.text);
    if (network) return { kind: 'network', network };
    const range = rangeWord(token.text, field);
    const instead = range ? token.text.replace('-', '..') : (shortNetwork(token.text) ?? maskedNetwork(token.text));
    const names = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*$/i.test(token.text) ? '; names are not looked up' : '';
    return this.failHere(`${field.id}: ${quoted(token.text)} is not an address or network${names}`, instead);
  }

  protected globOf(token: LexicalToken, operator: string): FilterPattern | undefined {
    if (operator === '=~') {
      const suggestion = token.kind === 'word' ? `/${token.text.replaceAll('/', '\\/')}/` : undefined;
      return this.failHere('Expected a regular expression between slashes', suggestion);
    }
    if (token.kind !== 'string' && (token.kind !== 'word' || keywords.has(token.text.toLowerCase()))) {
      return this.failHere('Expected a pattern such as "*.example.org"');
    }
    this.role('text');
    return { kind: 'glob', text: token.text };
  }

  protected regexOf(token: LexicalToken): FilterPattern | undefined {
    this.role('regex');
    const flags = token.flags ?? '';
    if (flags !== '' && flags !== 'i') {
      const place = { offset: token.offset + token.length - flags.length, length: flags.length };
      return this.fail(place, `Unknown flags ${quoted(flags)}; only i (ignore case) is known`);
    }
    const result = parseRegex(token.text, flags === 'i');
    if ('error' in result) {
      const { offset, length, message } = result.error;
      const inside = { offset: token.offset + 1 + offset, length };
      return this.fail(token.kind === 'regex' ? inside : token, `Regular expression: ${message}`);
    }
    // A slash stands for itself in the tree, so that both ways of writing give the same.
    return {
      kind: 'regex',
      source: token.text.replace(/\\([^])/gu, (both, char) => (char === '/' ? '/' : both)),
      ignoreCase: flags === 'i',
    };
  }
}

/** 10.0.0.0/255.0.0.0: an address with a mask instead of a prefix. */
function maskedNetwork(text: string): string | undefined {
  const [address = '', mask = ''] = text.split('/');
  const words = parseAddress(mask);
  if (!words || mask.includes(':') || !parseAddress(address)) return undefined;
  const prefix = Math.clz32(~words[3]);
  return words[3] === (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0) ? `${address}/${prefix}` : undefined;
}

/** 10/8, 192.168/16, 10.0.0 or 10.0.0.*, as tcpdump and people write networks, written out. */
function shortNetwork(text: string): string | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,3}){0,2})(?:\.\*)*\.?(?:\/(\d{1,2}))?$/.exec(text);
  if (!match) return undefined;
  const octets = match[1]!.split('.');
  const full = `${[...octets, '0', '0', '0'].slice(0, 4).join('.')}/${match[2] ?? octets.length * 8}`;
  return parseNetwork(full) ? full : undefined;
}

/** 1-1023 or 10.0.0.1-10.0.0.9, a range with a dash; either way round. */
export function rangeWord(
  text: string,
  field: Field,
): (FilterItem & { readonly kind: 'numberRange' | 'addressRange' }) | undefined {
  const parts = text.split('-');
  if (parts.length !== 2) return undefined;
  if (field.kind === 'address') {
    const [first, last] = parts.map(parseAddress);
    return first && last ? { kind: 'addressRange', first, last } : undefined;
  }
  const [first, last] = parts.map((part) => parseNumber(part, field.kind, field.maximum));
  if (!first || !last || !('value' in first) || !('value' in last)) return undefined;
  return { kind: 'numberRange', first: first.value, last: last.value };
}
