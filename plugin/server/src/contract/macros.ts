/**
 * Macros in the texts of a query: what Grafana's front end puts in for panels, and the server side for alert rules, which
 * never pass a front end. `$__name` and `${__name}` mean the same. Runs in a browser.
 *
 * | macro | is |
 * | --- | --- |
 * | `$__interval`, `$__interval_ms` | width of a point: a duration (`30s`), milliseconds |
 * | `$__range`, `$__range_s`, `$__range_ms` | length of the time range: a duration, seconds, milliseconds |
 * | `$__from`, `$__to` | its ends, milliseconds since 1970 |
 */

export interface MacroValues {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
}

const units: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
];

/** A duration in whole units, as the API reads them: the largest that divides it; below a second one second. */
export function durationText(millis: number): string {
  const seconds = Math.max(1, Math.round(millis / 1000));
  const [unit, width] = units.find(([, of]) => (seconds * 1000) % of === 0) ?? ['s', 1000];
  return `${(seconds * 1000) / width}${unit}`;
}

/** Put values in for all macros of a text. */
export function expandMacros(text: string, { fromMs, toMs, intervalMs }: MacroValues): string {
  if (!text.includes('$')) return text;
  const values: Readonly<Record<string, string>> = {
    __interval: durationText(intervalMs),
    __interval_ms: String(Math.round(intervalMs)),
    __range: durationText(toMs - fromMs),
    __range_s: String(Math.max(1, Math.round((toMs - fromMs) / 1000))),
    __range_ms: String(toMs - fromMs),
    __from: String(fromMs),
    __to: String(toMs),
  };
  return text.replace(/\$(?:\{(__\w+)\}|(__\w+))/g, (macro, braced?: string, plain?: string) => {
    const value = Object.entries(values).find(([name]) => name === (braced ?? plain));
    return value ? value[1] : macro;
  });
}

/** The first template variable that is left in a text outside of quotes, or undefined. */
export function leftVariable(text: string): string | undefined {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return /\$\{[A-Za-z_][\w.:]*\}|\$[A-Za-z_]\w*|\[\[\w+(?::\w+)?\]\]/.exec(bare)?.[0];
}
