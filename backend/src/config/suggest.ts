/** "Did you mean": the known name nearest to a mistyped one. */

/** Edit distance (Levenshtein 1966), two rows at a time. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitute = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitute, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** The nearest name, or null when none is near (more than a third of the letters differ). */
export function nearest(name: string, known: readonly string[]): string | null {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_.]/g, '');
  const wanted = plain(name.slice(0, 100));
  let best: string | null = null;
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(wanted, plain(candidate));
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}
