/** Metrics of the process in the Prometheus text format (exposition format 0.0.4); Grafana serves them under its own. */

type Labels = Readonly<Record<string, string>>;

/** Different label values of one counter; methods and outcomes are few. */
const seriesMax = 200;

const labelText = (labels: Labels): string => {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
};

class Counter {
  readonly #series = new Map<string, number>();

  add(labels: Labels, by = 1): void {
    const key = labelText(labels);
    if (!this.#series.has(key) && this.#series.size >= seriesMax) return;
    this.#series.set(key, (this.#series.get(key) ?? 0) + by);
  }

  lines(name: string): string[] {
    return [...this.#series].map(([labels, value]) => `${name}${labels} ${value}`);
  }
}

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

export class Metrics {
  readonly #calls = new Counter();
  readonly #seconds = new Counter();
  readonly #queries = new Counter();
  readonly #resources = new Counter();
  readonly #gauges: Gauge[] = [];

  /** A call of Grafana's ended. */
  call(method: string, outcome: string, seconds: number): void {
    this.#calls.add({ method, outcome });
    this.#seconds.add({ method }, seconds);
  }

  query(outcome: string): void {
    this.#queries.add({ outcome });
  }

  resource(status: number): void {
    this.#resources.add({ status: String(status) });
  }

  gauge(name: string, help: string, read: () => number): void {
    this.#gauges.push({ name, help, read });
  }

  /** All of them as text. */
  text(): string {
    const counters: readonly (readonly [string, string, Counter])[] = [
      ['netspectra_plugin_calls_total', 'Calls of Grafana, by method and outcome', this.#calls],
      ['netspectra_plugin_call_seconds_total', 'Time spent in calls of Grafana, by method', this.#seconds],
      ['netspectra_plugin_queries_total', 'Queries answered, by outcome', this.#queries],
      ['netspectra_plugin_resources_total', 'Resource calls answered, by status', this.#resources],
    ];
    const gauges: readonly Gauge[] = [
      ...this.#gauges,
      { name: 'netspectra_plugin_memory_bytes', help: 'Resident memory of the process', read: residentBytes },
      { name: 'netspectra_plugin_uptime_seconds', help: 'Time since the process began', read: () => process.uptime() },
    ];
    return [
      ...counters.flatMap(([name, help, counter]) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} counter`,
        ...counter.lines(name),
      ]),
      ...gauges.flatMap(({ name, help, read }) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        `${name} ${read()}`,
      ]),
      '',
    ].join('\n');
  }
}

/** Bytes; not a number where there is no /proc to read it from, as in a bare sandbox. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return NaN;
  }
}
