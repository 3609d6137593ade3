/** The filter: Monaco with our language, and the mistakes below it in words. */
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import type { Monaco, MonacoEditor, monacoTypes } from '@grafana/ui';
import { Button, CodeEditor, useStyles2 } from '@grafana/ui';
import { useEffect, useId, useMemo, useRef, useState } from 'react';
import { remembered } from './filter-completion.js';
import type { FetchValues } from './filter-completion.js';
import { connectModel, filterLanguage, markProblems, registerFilterLanguage } from './filter-language.js';
import { corrected, filterProblems, problemText } from './filter-problems.js';

interface Props {
  readonly value: string;
  /** when the editor is left, or Enter with Shift or Control is pressed */
  readonly onChange: (value: string) => void;
  readonly onRun: (value: string) => void;
  readonly values: FetchValues;
  readonly label?: string;
}

const lineHeight = 20;
const linesMax = 8;

export function FilterField({ value, onChange, onRun, values, label = 'Filter' }: Props) {
  const styles = useStyles2(getStyles);
  const problemsId = useId();
  const [text, setText] = useState(value);
  const [given, setGiven] = useState(value);
  if (given !== value) {
    // Changed from outside: Explore's plus and minus, undo, another query.
    setGiven(value);
    setText(value);
  }
  const problems = useMemo(() => filterProblems(text), [text]);
  const fetch = useMemo(() => remembered(values), [values]);
  const model = useRef<monacoTypes.editor.ITextModel | null>(null);
  const run = useRef(onRun);
  useEffect(() => {
    run.current = onRun;
  });
  const [mounted, setMounted] = useState(false);
  useEffect(() => (mounted && model.current ? connectModel(model.current, fetch) : undefined), [mounted, fetch]);

  const didMount = (editor: MonacoEditor, monaco: Monaco): void => {
    const edited = editor.getModel();
    if (!edited) return;
    model.current = edited;
    setMounted(true);
    markProblems(monaco, edited);
    edited.onDidChangeContent(() => markProblems(monaco, edited));
    editor.updateOptions({ ariaLabel: `${label}. Press Tab to leave, Shift and Enter to run the query.` });
    addKeys(editor, monaco, () => run.current(editor.getValue()));
  };
  const lines = Math.min(linesMax, text.split('\n').length);
  return (
    <div className={styles.field} data-testid="netspectra-filter">
      <div
        className={problems.length > 0 ? styles.wrong : styles.fine}
        role="group"
        aria-label={label}
        aria-describedby={problemsId}
        onKeyDown={(event) => {
          // It closes the proposals; the drawer or dialog around the field stays, and with it what was typed.
          if (event.key === 'Escape') event.stopPropagation();
        }}
      >
        {text === '' && (
          <span aria-hidden className={styles.example}>
            All traffic. For example: src_ip = 10.0.0.0/8 and dst_port = 443
          </span>
        )}
        <CodeEditor
          language={filterLanguage}
          value={text}
          height={lines * lineHeight + 10}
          showMiniMap={false}
          showLineNumbers={false}
          wordWrap
          onBeforeEditorMount={registerFilterLanguage}
          onEditorDidMount={didMount}
          onChange={setText}
          onBlur={(typed) => {
            setText(typed);
            if (typed !== value) onChange(typed);
          }}
          monacoOptions={monacoOptions}
        />
      </div>
      <div id={problemsId} role="status" className={styles.problems}>
        {problems.slice(0, 3).map((problem) => (
          <div key={`${problem.offset} ${problem.message}`}>
            {problem.line > 1 ? `Line ${problem.line}, column` : 'Column'} {problem.column}: {problemText(problem)}{' '}
            {problem.suggestion !== undefined && (
              <Button
                size="sm"
                fill="text"
                onClick={() => {
                  const better = corrected(text, problem);
                  setText(better);
                  onChange(better);
                }}
              >
                Use {problem.suggestion}
              </Button>
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

const monacoOptions = {
  fixedOverflowWidgets: true,
  folding: false,
  glyphMargin: false,
  lineDecorationsWidth: 4,
  lineHeight,
  overviewRulerLanes: 0,
  padding: { top: 4, bottom: 4 },
  renderLineHighlight: 'none' as const,
  scrollBeyondLastLine: false,
  scrollbar: { vertical: 'auto' as const, horizontal: 'hidden' as const, alwaysConsumeMouseWheel: false },
  suggestOnTriggerCharacters: true,
  quickSuggestions: { other: true, comments: true, strings: true },
  wordBasedSuggestions: false,
};

/** Run with Shift or Control and Enter; leave with Tab, which in a code editor would be caught. */
function addKeys(editor: MonacoEditor, monaco: Monaco, run: () => void): void {
  editor.addAction({
    id: 'netspectra-run',
    label: 'Run the query',
    keybindings: [monaco.KeyMod.Shift | monaco.KeyCode.Enter, monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter],
    run,
  });
  const leave = (id: string, keybinding: number, step: 1 | -1): void => {
    editor.addAction({
      id,
      label: step === 1 ? 'To the next field' : 'To the field before',
      keybindings: [keybinding],
      precondition: '!suggestWidgetVisible && !inSnippetMode',
      run: () => focusBeside(editor.getDomNode(), step),
    });
  };
  leave('netspectra-leave', monaco.KeyCode.Tab, 1);
  leave('netspectra-leave-back', monaco.KeyMod.Shift | monaco.KeyCode.Tab, -1);
}

const focusable =
  'a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex]:not([tabindex="-1"])';

/** Move the focus to the next or previous thing on the page that can have it, outside of `node`. */
function focusBeside(node: HTMLElement | null, step: 1 | -1): void {
  if (!node) return;
  const all = [...document.querySelectorAll<HTMLElement>(focusable)].filter(
    (each) => !node.contains(each) && each.offsetParent !== null,
  );
  const after = all.findIndex((each) => (node.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0);
  const index = step === 1 ? after : (after === -1 ? all.length : after) - 1;
  all[index]?.focus();
}

const getStyles = (theme: GrafanaTheme2) => {
  const box = {
    position: 'relative' as const,
    borderRadius: theme.shape.radius.default,
    overflow: 'hidden',
    '&:focus-within': { outline: `2px solid ${theme.colors.primary.main}`, outlineOffset: '2px' },
  };
  return {
    field: css({ width: '100%', minWidth: 280 }),
    fine: css({ ...box, border: `1px solid ${theme.components.input.borderColor}` }),
    wrong: css({ ...box, border: `1px solid ${theme.colors.error.border}` }),
    example: css({
      position: 'absolute',
      zIndex: 1,
      top: 4,
      left: 8,
      right: 8,
      overflow: 'hidden',
      whiteSpace: 'nowrap',
      textOverflow: 'ellipsis',
      lineHeight: `${lineHeight}px`,
      pointerEvents: 'none',
      color: theme.colors.text.secondary,
    }),
    problems: css({ color: theme.colors.error.text, fontSize: theme.typography.bodySmall.fontSize }),
  };
};
