/**
 * Names of addresses by reverse DNS (RFC 1035 3.5, RFC 3596 2.5), remembered for a while.
 *
 * Nothing ever waits for DNS longer than it said it would: `names` answers with what is known after `budgetMillis` at most,
 * and questions under way go on for whoever asks next. Everything is bounded: names remembered, questions under way,
 * questions waiting (beyond that they are not asked, and counted). What comes back was written by whoever owns the
 * address: it is a name only when it looks like a host name.
 */
import { Resolver } from 'node:dns/promises';
import { formatAddress, isIpv4 } from '@netspectra/query';
import type { AddressWords } from '@netspectra/query';

export interface ReverseDnsOptions {
  /** address, address:port or [address]:port; none: the system's */
  readonly servers: readonly string[];
  readonly timeoutMillis: number;
  /** names remembered at most */
  readonly cacheSize: number;
  readonly ttlMillis: number;
  /** how long it is remembered that there is no name */
  readonly negativeTtlMillis: number;
  /** questions under way at once; a hundred times as many may wait */
  readonly concurrency: number;
  /** milliseconds, for tests */
  readonly now?: () => number;
}

/** What was done so far. */
export interface ReverseDnsCounters {
  /** questions sent */
  asked: number;
  /** answers with a name */
  found: number;
  /** answers without one (NXDOMAIN, no PTR) */
  absent: number;
  /** no answer, or a broken one */
  failed: number;
  /** names that are none: too long, or with characters that host names do not have */
  refused: number;
  /** not asked because too many waited */
  dropped: number;
}

/** A server that is slow or down is asked about the same address again after this, milliseconds. */
const failureTtlMillis = 30_000;
const waitingPerQuestion = 100;
/** RFC 1035 2.3.4: 255 octets on the wire are 253 characters. */
const nameMax = 253;

interface Remembered {
  readonly name: string;
  readonly until: number;
}

/** A host name as RFC 1123 2.1 has it, underscores allowed, which reverse zones do use; '' for anything else. */
export function cleanHostName(name: unknown): string {
  if (typeof name !== 'string') return '';
  const text = (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase();
  if (text.length === 0 || text.length > nameMax) return '';
  return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/.test(text) ? text : '';
}

/** The name to ask for: 7.2.0.192.in-addr.arpa, or 32 nibbles under ip6.arpa. */
export function reverseName(words: AddressWords): string {
  if (isIpv4(words)) {
    const word = words[3];
    return `${word & 255}.${(word >>> 8) & 255}.${(word >>> 16) & 255}.${word >>> 24}.in-addr.arpa`;
  }
  const digits = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

export class ReverseDns {
  readonly counters: ReverseDnsCounters = { asked: 0, found: 0, absent: 0, failed: 0, refused: 0, dropped: 0 };
  private readonly options: ReverseDnsOptions;
  private readonly resolver: Resolver;
  private readonly now: () => number;
  /** by address text, the longest unused first (a Map keeps the order of insertion) */
  private readonly remembered = new Map<string, Remembered>();
  private readonly underway = new Map<string, Promise<string>>();
  private readonly waiting: (() => void)[] = [];
  private running = 0;
  private closed = false;

  /** @throws Error when a server's address is none */
  constructor(options: ReverseDnsOptions) {
    this.options = options;
    this.now = options.now ?? (() => performance.now());
    this.resolver = new Resolver({ timeout: options.timeoutMillis, tries: 1 });
    if (options.servers.length > 0) this.resolver.setServers([...options.servers]);
  }

  /** Names remembered now. */
  get size(): number {
    return this.remembered.size;
  }

  /**
   * Names of these addresses, '' where there is none or it is not known in time.
   * @param budgetMillis how long to wait at most; 0 = only what is remembered (questions are asked all the same)
   */
  async names(addresses: readonly AddressWords[], budgetMillis: number): Promise<string[]> {
    const names: string[] = addresses.map(() => '');
    const open: Promise<void>[] = [];
    for (const [i, words] of addresses.entries()) {
      const key = formatAddress(words);
      const known = this.recall(key);
      if (known !== null) names[i] = known;
      else open.push(this.ask(key, words).then((name) => void (names[i] = name)));
    }
    if (open.length > 0 && budgetMillis > 0) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, budgetMillis)));
      await Promise.race([Promise.all(open), late]);
      clearTimeout(timer);
    }
    return [...names];
  }

  /** Give up what is under way. */
  close(): void {
    this.closed = true;
    this.resolver.cancel();
    for (const start of this.waiting.splice(0)) start();
  }

  private recall(key: string): string | null {
    const found = this.remembered.get(key);
    if (!found) return null;
    this.remembered.delete(key);
    if (found.until <= this.now()) return null;
    this.remembered.set(key, found);
    return found.name;
  }

  private remember(key: string, name: string, millis: number): string {
    this.remembered.delete(key);
    this.remembered.set(key, { name, until: this.now() + millis });
    if (this.remembered.size > this.options.cacheSize) {
      for (const oldest of this.remembered.keys()) {
        this.remembered.delete(oldest);
        break;
      }
    }
    return name;
  }

  private ask(key: string, words: AddressWords): Promise<string> {
    const same = this.underway.get(key);
    if (same) return same;
    if (this.underway.size >= this.options.concurrency * (waitingPerQuestion + 1)) {
      this.counters.dropped += 1;
      return Promise.resolve('');
    }
    const answer = this.resolve(key, words).finally(() => this.underway.delete(key));
    this.underway.set(key, answer);
    return answer;
  }

  private async resolve(key: string, words: AddressWords): Promise<string> {
    // Whoever ends hands its turn to the longest waiting, so that there are never more than may be.
    if (this.running >= this.options.concurrency) await new Promise<void>((start) => this.waiting.push(start));
    else this.running += 1;
    if (this.closed) return '';
    this.counters.asked += 1;
    const { ttlMillis, negativeTtlMillis } = this.options;
    try {
      const [first] = await this.resolver.resolvePtr(reverseName(words));
      const name = cleanHostName(first);
      if (name === '') {
        this.counters.refused += 1;
        return this.remember(key, '', negativeTtlMillis);
      }
      this.counters.found += 1;
      return this.remember(key, name, ttlMillis);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTFOUND' || code === 'ENODATA') {
        this.counters.absent += 1;
        return this.remember(key, '', negativeTtlMillis);
      }
      this.counters.failed += 1;
      return this.remember(key, '', Math.min(negativeTtlMillis, failureTtlMillis));
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}
