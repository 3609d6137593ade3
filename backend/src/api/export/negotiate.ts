/** Which form of an answer the client wants: `Accept` with quality values (RFC 9110, section 12.5.1). */
import { ApiError } from '../problem.js';

/** Forms of an answer, by media type, the preferred one first. */
export const answerForms = { json: 'application/json', ndjson: 'application/x-ndjson', csv: 'text/csv' } as const;
export type AnswerForm = keyof typeof answerForms;

interface Range {
  readonly type: string;
  readonly quality: number;
}

/** More alternatives than this are not looked at. */
const rangesMax = 50;

function parseAccept(header: string): Range[] {
  return header
    .split(',', rangesMax)
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      const quality = weight === undefined ? 1 : /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(weight) ? Number(weight) : 0;
      return { type, quality };
    })
    .filter(({ type }) => type.includes('/'));
}

/** Quality of a media type: that of the most specific range that covers it. */
function qualityOf(mediaType: string, ranges: readonly Range[]): number {
  const wildcard = `${mediaType.split('/', 1)[0] ?? ''}/*`;
  for (const type of [mediaType, wildcard, '*/*']) {
    const range = ranges.find((each) => each.type === type);
    if (range) return range.quality;
  }
  return 0;
}

/**
 * The form to answer in; JSON when the client does not say, or likes others as much.
 * Throws `not-acceptable` when it takes none of them.
 */
export function negotiate(accept: string | undefined): AnswerForm {
  if (accept === undefined || accept.trim() === '') return 'json';
  const ranges = parseAccept(accept);
  let best: AnswerForm | undefined;
  let bestQuality = 0;
  for (const form of Object.keys(answerForms) as AnswerForm[]) {
    const quality = qualityOf(answerForms[form], ranges);
    if (quality > bestQuality) [best, bestQuality] = [form, quality];
  }
  if (best === undefined) {
    throw new ApiError('not-acceptable', `accept one of ${Object.values(answerForms).join(', ')}`, [
      { pointer: '#/header/accept', detail: `must allow one of ${Object.values(answerForms).join(', ')}` },
    ]);
  }
  return best;
}
