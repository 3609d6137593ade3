/** How an earlier period is called. */

const units: readonly (readonly [number, string])[] = [
  [604_800_000, 'week'],
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** `1 week before`, `90 minutes before`: in the largest unit that makes a whole number. */
export function periodName(offsetMs: number): string {
  const [width, unit] = units.find(([each]) => offsetMs % each === 0) ?? [1, 'millisecond'];
  const count = offsetMs / width;
  return `${count} ${unit}${count === 1 ? '' : 's'} before`;
}
