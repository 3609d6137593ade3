/** Placeholders in the texts of an alert rule: `{{ value }}`, `{{ labels.src_ip }}`. */
import { nearest } from '@netspectra/query';
import { ApiError } from '../problem.js';

const names = ['value', 'threshold', 'rule', 'severity', 'start', 'end'] as const;

/**
 * Throws a validation ApiError at `pointer` for a placeholder that nothing would fill in.
 * @param labels groups of the query and labels of the rule: what may stand behind `labels.`
 */
export function checkPlaceholders(text: string, labels: readonly string[], pointer: string): void {
  const known = [...names, ...labels.map((label) => `labels.${label}`)];
  for (let at = text.indexOf('{{'); at >= 0; at = text.indexOf('{{', at + 2)) {
    const end = text.indexOf('}}', at);
    const name = end < 0 ? '' : text.slice(at + 2, end).trim();
    if (known.includes(name)) continue;
    const before = text.slice(0, at);
    const length = (end < 0 ? text.length : end + 2) - at;
    const suggestion = nearest(name, known);
    const detail =
      end < 0 ? '{{ is not closed by }}' : `nothing is called ${name.slice(0, 64)} here; known are ${known.join(', ')}`;
    throw new ApiError('validation', detail, [
      {
        pointer,
        detail,
        position: {
          offset: at,
          length,
          line: before.split('\n').length,
          column: at - before.lastIndexOf('\n'),
        },
        ...(suggestion === undefined ? {} : { suggestion: `{{ ${suggestion} }}` }),
      },
    ]);
  }
}
