/**
 * The filter language in Monaco: colours, completion, hover, marks at mistakes. All of it comes from @netspectra/query, which
 * the server side uses as well; this file only hands it to the editor.
 */
import type { Monaco, monacoTypes } from '@grafana/ui';
import type { CompletionKind, FilterToken } from '@netspectra/query';
import { highlightFilter, hoverFilter } from '@netspectra/query';
import { completions } from './filter-completion.js';
import type { FetchValues } from './filter-completion.js';
import { filterProblems, problemText } from './filter-problems.js';

export const filterLanguage = 'netspectra-filter';

/** Roles of tokens as the scopes that Monaco's themes colour. */
const scopes: Readonly<Record<FilterToken['role'], string>> = {
  field: 'type',
  keyword: 'keyword',
  operator: 'keyword.operator',
  punctuation: 'delimiter',
  number: 'number',
  address: 'number',
  name: 'attribute.value',
  text: 'string',
  regex: 'regexp',
  invalid: 'invalid',
};

/** Live values, by the URI of the model that is edited: providers belong to the language, not to one editor. */
const sources = new Map<string, FetchValues>();

/** Make a model's completions ask here; the result ends it. */
export function connectModel(model: monacoTypes.editor.ITextModel, values: FetchValues): () => void {
  const key = model.uri.toString();
  sources.set(key, values);
  return () => {
    if (sources.get(key) === values) sources.delete(key);
  };
}

/** Tells Monaco of the language, once. */
export function registerFilterLanguage(monaco: Monaco): void {
  if (monaco.languages.getLanguages().some(({ id }) => id === filterLanguage)) return;
  monaco.languages.register({ id: filterLanguage });
  monaco.languages.setLanguageConfiguration(filterLanguage, {
    brackets: [['(', ')']],
    autoClosingPairs: [
      { open: '(', close: ')' },
      { open: '"', close: '"' },
    ],
    wordPattern: /[A-Za-z0-9_.:/%*?+\-µ$]+/,
  });
  monaco.languages.setTokensProvider(filterLanguage, {
    getInitialState: () => lineState(''),
    tokenize: (line, state) => tokenizeLine(line, state as LineState),
  });
  monaco.languages.registerCompletionItemProvider(filterLanguage, {
    triggerCharacters: [' ', '(', ',', '=', '"', '.'],
    provideCompletionItems: async (model, position) => ({
      suggestions: await suggestions(monaco, model, position),
      // What fits depends on all that was typed, so each keystroke asks again.
      incomplete: true,
    }),
  });
  monaco.languages.registerHoverProvider(filterLanguage, {
    provideHover: (model, position) => {
      const hover = hoverFilter(model.getValue(), model.getOffsetAt(position));
      if (!hover) return null;
      return {
        range: rangeAt(monaco, model, hover.offset, hover.offset + hover.length),
        // Names come from the network: text, not markup.
        contents: [{ value: escapeMarkdown(`${hover.title}: ${hover.documentation}`) }],
      };
    },
  });
}

/** A line is coloured with what stands before it: a list may go over several lines. */
interface LineState extends monacoTypes.languages.IState {
  readonly before: string;
}
const lineState = (before: string): LineState => ({
  before,
  clone: () => lineState(before),
  equals: (other) => (other as LineState).before === before,
});

/** Tokens of a line, given the lines before it. */
export function tokenizeLine(line: string, { before }: Pick<LineState, 'before'>): monacoTypes.languages.ILineTokens {
  const tokens = highlightFilter(before + line)
    .filter(({ offset }) => offset >= before.length)
    .map(({ offset, role }) => ({ startIndex: offset - before.length, scopes: scopes[role] }));
  return { tokens, endState: lineState(`${before}${line}\n`) };
}

/** Marks the mistakes of a text in the model. */
export function markProblems(monaco: Monaco, model: monacoTypes.editor.ITextModel): void {
  const text = model.getValue();
  const markers = filterProblems(text).map((error) => {
    // At the end of the text there is nothing to underline: the last character stands for it.
    const from = error.length === 0 && error.offset > 0 ? error.offset - 1 : error.offset;
    return {
      ...rangeAt(monaco, model, from, error.offset + error.length),
      message: problemText(error),
      severity: monaco.MarkerSeverity.Error,
    };
  });
  monaco.editor.setModelMarkers(model, filterLanguage, markers);
}

async function suggestions(
  monaco: Monaco,
  model: monacoTypes.editor.ITextModel,
  position: monacoTypes.Position,
): Promise<monacoTypes.languages.CompletionItem[]> {
  const text = model.getValue();
  const offset = model.getOffsetAt(position);
  const none: FetchValues = () => Promise.resolve([]);
  const items = await completions(text, offset, sources.get(model.uri.toString()) ?? none);
  const kinds: Readonly<Record<CompletionKind, monacoTypes.languages.CompletionItemKind>> = {
    field: monaco.languages.CompletionItemKind.Field,
    operator: monaco.languages.CompletionItemKind.Operator,
    value: monaco.languages.CompletionItemKind.Value,
    keyword: monaco.languages.CompletionItemKind.Keyword,
    function: monaco.languages.CompletionItemKind.Function,
    snippet: monaco.languages.CompletionItemKind.Snippet,
  };
  return items.map((item, i) => ({
    label: { label: item.label, description: item.detail },
    kind: kinds[item.kind],
    insertText: item.insert,
    documentation: item.documentation,
    range: rangeAt(monaco, model, item.replaceFrom, item.replaceTo),
    // The language has chosen and ordered already; Monaco must not do it again by its own measure.
    filterText: text.slice(item.replaceFrom, offset),
    sortText: String(i).padStart(4, '0'),
  }));
}

function rangeAt(monaco: Monaco, model: monacoTypes.editor.ITextModel, from: number, to: number): monacoTypes.Range {
  const start = model.getPositionAt(from);
  const end = model.getPositionAt(to);
  return new monaco.Range(start.lineNumber, start.column, end.lineNumber, end.column);
}

const escapeMarkdown = (text: string): string => text.replace(/[\\`*_{}[\]()#+\-.!|<>&~]/g, '\\$&');
