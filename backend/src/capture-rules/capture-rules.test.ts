/** Capture rules without a network: their versions, what an API wants of a probe and sends, what a probe keeps. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMemoryBus } from '@netspectra/collector/bus';
import { CapturePlanError } from '@netspectra/collector/probe';
import type { CaptureRule, RuleSet } from '@netspectra/collector/probe';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { CaptureRuleBody } from '../management/index.js';
import { controlSubject, encodeControl, encodeStatus, parseControl, parseStatus, statusSubject } from './messages.js';
import type { ProbeStatus } from './messages.js';
import { RuleDirector } from './rule-director.js';
import { RuleKeeper } from './rule-keeper.js';
import { compareVersions, versionOf } from './version.js';
import { fits, wantedRules } from './wanted-rules.js';

const drop = (filter: string): CaptureRule => ({ filter, action: { type: 'drop' } });
const ruleSet = (since: number, changes: number, ...filters: string[]): RuleSet => {
  const rules = filters.map(drop);
  return { version: versionOf({ since, changes }, rules), rules };
};
const log = () => {
  const lines: string[] = [];
  return {
    lines,
    info: (_: object, text: string) => lines.push(text),
    warn: (_: object, text: string) => lines.push(text),
  };
};
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('versions', () => {
  it('are in the order of store, change and content, whatever is compared', () => {
    const ordered = ['', ruleSet(1, 9).version, ruleSet(2, 1).version, ruleSet(2, 10).version, ruleSet(10, 2).version];
    ordered.forEach((a, i) =>
      ordered.forEach((b, j) => expect(Math.sign(compareVersions(a, b)), `${a} ${b}`).toBe(Math.sign(i - j))),
    );
    const [a, b] = [ruleSet(1, 1, 'udp').version, ruleSet(1, 1, 'tcp').version];
    expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)));
    expect(a).not.toBe(b);
    expect(compareVersions('nonsense', '')).toBe(0);
  });

  it('name what a rule does with all its numbers', () => {
    const of = (action: CaptureRule['action']): string => versionOf({ since: 1, changes: 1 }, [{ filter: '', action }]);
    const all = [
      of({ type: 'drop' }),
      of({ type: 'capture' }),
      of({ type: 'sample', rate: 2 }),
      of({ type: 'sample', rate: 3 }),
      of({ type: 'payload', snapLength: 100 }),
      of({ type: 'payload', snapLength: 101 }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('what is wanted of a probe', () => {
  it('patterns fit as a regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), maxLength: 8 });
    fc.assert(
      fc.property(text, fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 10 }), (pattern, id) => {
        expect(fits(pattern, id)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(id));
      }),
      { numRuns: 2_000 },
    );
  });

  const body = (over: Partial<CaptureRuleBody>): CaptureRuleBody => ({
    name: 'n',
    probes: ['*'],
    filter: '',
    action: { type: 'drop' },
    priority: 1,
    ...over,
  });
  const filters = (bodies: CaptureRuleBody[], probe = 'edge-1'): string[] | string => {
    const rules = bodies.map((each, i) => ({ id: String(i), body: each }));
    const wanted = wantedRules({ revision: { since: 1, changes: 1 }, rules }, probe);
    return wanted.rules?.map(({ filter }) => filter) ?? wanted.error;
  };

  it('the enabled rules that are for it, the highest priority first', () => {
    expect(
      filters([
        body({ filter: 'low' }),
        body({ filter: 'high', priority: 9, probes: ['core', 'edge-*'] }),
        body({ filter: 'off', enabled: false }),
        body({ filter: 'other', probes: ['edge-2', 'edge'] }),
        body({ filter: 'same' }),
      ]),
    ).toEqual(['high', 'low', 'same']);
  });

  it('too many, or too long, is said and nothing sent', () => {
    expect(filters(Array.from({ length: 101 }, () => body({})))).toMatch(/^101 capture rules .* it takes 100/);
    expect(filters(Array.from({ length: 20 }, () => body({ filter: 'x'.repeat(16_000) })))).toMatch(
      /bytes; a probe takes 262144/,
    );
  });
});

describe('a probe', () => {
  const folder = mkdtempSync(join(tmpdir(), 'netspectra-rules-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let files = 0;
  const keeper = (file = join(folder, String((files += 1)), 'rules.json')) => {
    const used: RuleSet[] = [];
    const { lines, ...sink } = log();
    const rules = new RuleKeeper({
      probe: 'p',
      file,
      apply: (set) => {
        if (set.rules.some(({ filter }) => filter === 'unusable')) throw new CapturePlanError('rule 1: no');
        used.push(set);
      },
      versions: () => [used.at(-1)?.version ?? ''],
      log: sink,
    });
    return { rules, used, lines, file };
  };
  const send = (to: RuleKeeper, set: RuleSet, probe = 'p'): void => to.hear(encodeControl(probe, set));

  it('takes newer rules only, keeps them for the next start, and says which it has', () => {
    const { rules, used, file } = keeper();
    expect(rules.load(() => {})).toEqual({ version: '', rules: [] });
    const [old, middle, newest] = [ruleSet(5, 1, 'arp'), ruleSet(5, 2, 'udp'), ruleSet(5, 3)];
    for (const set of [middle, middle, old, newest, middle]) send(rules, set);
    expect(used).toEqual([middle, newest]);
    expect(rules.refused).toMatchObject({ stale: 2 });
    expect(rules.status).toEqual({ version: newest.version, rules: 0, error: '', failed_version: '', refused: 2 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const next = keeper(file).rules;
    expect(next.load(() => {})).toEqual(newest);
    send(next, old);
    expect(next.refused.stale).toBe(1);
  });

  it('what cannot be used is told, what was in force stays', () => {
    const { rules, used, file } = keeper();
    const [good, bad] = [ruleSet(1, 1, 'udp'), ruleSet(1, 2, 'unusable')];
    send(rules, good);
    send(rules, bad);
    expect(used).toEqual([good]);
    expect(rules.status).toMatchObject({ version: good.version, error: 'rule 1: no', failed_version: bad.version });
    expect(new TextDecoder().decode(readFileSync(file))).toContain(good.version);
    send(rules, ruleSet(1, 3, 'tcp'));
    expect(rules.status.error).toBe('');
    const cannot = (): never => {
      throw new CapturePlanError('no more');
    };
    expect(keeper(file).rules.load(cannot)).toEqual({ version: '', rules: [] });
  });

  it('a disk that does not take them is told; they are in force nevertheless', () => {
    writeFileSync(join(folder, 'file'), '');
    const { rules, used } = keeper(join(folder, 'file', 'rules.json'));
    send(rules, ruleSet(1, 1, 'udp'));
    expect(used).toHaveLength(1);
    expect(rules.status.error).toMatch(/cannot be kept for the next start: E/);
  });

  it('never throws on what comes, and takes nothing that is not whole', () => {
    const { rules, used } = keeper();
    const valid = encodeControl('p', ruleSet(1, 1, 'udp'));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(valid.length - 1),
        fc.nat(255),
        fc.json(),
        (noise, at, byte, json) => {
          const changed = valid.slice();
          changed[at] = byte;
          for (const bytes of [noise, changed, valid.subarray(0, at), new TextEncoder().encode(json)]) {
            const found = parseControl('p', bytes);
            if ('rules' in found) expect(found.rules.rules[0]?.filter).toBe('udp');
            rules.hear(bytes);
            parseStatus('netspectra.live.probe.p', bytes);
          }
        },
      ),
      { numRuns: 500 },
    );
    for (const set of used) expect(set.rules).toEqual([drop('udp')]);
  });
});

describe('an API process', () => {
  const status = (probe: string, has: Partial<ProbeStatus['capture_rules']> = {}): ProbeStatus => ({
    probe,
    time: '2026-01-01T00:00:00Z',
    received: 1,
    kernelDropped: 0,
    filtered: 0,
    decoded: 1,
    undecodable: 0,
    bytes: 60,
    publishDropped: 0,
    held: 0,
    health: { status: 'ok', dependencies: [], lostShare: 0 },
    cpu_seconds: 1,
    memory_bytes: 1e8,
    filter: '',
    interfaces: [{ name: 'eth0', state: 'up' }],
    capture_rules: { version: '', rules: 0, error: '', failed_version: '', refused: 0, ...has },
  });

  function direct() {
    const bus = createMemoryBus({ partitions: 1 });
    const sent: string[] = [];
    bus.listen('netspectra.control.>', (subject, bytes) => {
      const id = subject.slice('netspectra.control.probe.'.length);
      const found = parseControl(id, bytes);
      sent.push(
        'rules' in found ? `${id}: ${found.rules.rules.map(({ filter }) => filter).join(', ')}` : found.refused,
      );
    });
    const state = { now: 1e12, since: 100, changes: 1, fails: false };
    const rules: { id: string; body: CaptureRuleBody }[] = [
      { id: 'a', body: { name: 'a', probes: ['edge-*'], filter: 'udp', action: { type: 'drop' }, priority: 1 } },
    ];
    const { lines, ...sink } = log();
    const director = new RuleDirector({
      bus,
      rules: {
        revision: async () => {
          if (state.fails) throw new Error('away');
          return { since: state.since, changes: state.changes };
        },
        list: async () => ({
          versions: rules.map((rule) => ({
            ...rule,
            version: 1,
            deleted: false,
            createdAt: 0,
            changedAt: 0,
            actor: { kind: 'loopback', id: '', name: '', onBehalfOf: '' },
            action: '',
          })),
          next: null,
        }),
      },
      log: sink,
      now: () => state.now,
    });
    director.start();
    const tell = async (told: ProbeStatus, subject = statusSubject(told.probe)): Promise<void> => {
      bus.send(subject, encodeStatus(told));
      for (let i = 0; i < 5; i += 1) await settled();
    };
    const shown = (id: string) => director.probes().get(id)!;
    return { director, bus, sent, state, rules, lines, tell, shown };
  }

  it('tells a probe its rules until it has them, and again when they change', async () => {
    const { director, sent, state, rules, tell, shown } = direct();
    await tell(status('edge-1'));
    await tell(status('core'));
    expect(sent).toEqual(['edge-1: udp', 'core: ']);
    await tell(status('edge-1')); // its answer may be under way
    expect(sent).toHaveLength(2);
    state.now += 1_000;
    await tell(status('edge-1'));
    expect(sent.slice(2)).toEqual(['edge-1: udp']);
    const { wanted } = shown('edge-1');
    state.now += 1_000;
    await tell(status('edge-1', { version: wanted, rules: 1 }));
    expect(sent).toHaveLength(3);
    rules[0] = { id: 'a', body: { ...rules[0]!.body, filter: 'tcp' } };
    state.changes += 1;
    await director.changed();
    expect(sent.slice(3)).toEqual(['edge-1: tcp', 'core: ']);
    expect(compareVersions(shown('edge-1').wanted, wanted)).toBeGreaterThan(0);
    state.now += 5_001;
    expect(shown('edge-1').live).toBe(false);
    await director.stop();
  });

  it('does not fight for a probe that cannot, or that has newer rules; says why', async () => {
    const { director, sent, state, tell, shown } = direct();
    await tell(status('edge-1'));
    const { wanted } = shown('edge-1');
    for (let i = 0; i < 30; i += 1) {
      state.now += 1_000;
      await tell(status('edge-1', { failed_version: wanted, error: 'rule 1: no' }));
    }
    expect(sent).toHaveLength(2);
    expect(shown('edge-1').error).toBe('rule 1: no');
    await tell(status('edge-2', { version: ruleSet(101, 1).version }));
    expect(sent).toHaveLength(2);
    expect(shown('edge-2').error).toMatch(/^it has newer rules .* than this store/);
    await director.stop();
  });

  it('sends nothing from a store that never had a rule, and nothing while the store is away', async () => {
    const { director, sent, state, tell, lines } = direct();
    state.fails = true;
    await tell(status('edge-1', { version: ruleSet(1, 1).version }));
    await tell(status('edge-1', { version: ruleSet(1, 1).version }));
    expect(director.counters.readFailures).toBe(2);
    expect(lines).toEqual(['the capture rules cannot be read; probes keep those they have']);
    state.fails = false;
    state.changes = 0;
    state.since = 0;
    await tell(status('edge-1', { version: ruleSet(1, 1).version }));
    expect(sent).toEqual([]);
    await director.stop();
  });

  it('believes a probe about itself only, and remembers no more than it may', async () => {
    const { director, bus, tell } = direct();
    await tell(status('edge-1'), statusSubject('edge-2'));
    bus.send(statusSubject('x'), new Uint8Array(70_000));
    bus.send(statusSubject('x'), new Uint8Array(3));
    await settled();
    expect(director.counters.refused).toEqual({ too_large: 1, malformed: 1, foreign: 1, too_many: 0 });
    for (let i = 0; i < 2_005; i += 1) bus.send(statusSubject(`p${i}`), encodeStatus(status(`p${i}`)));
    await settled();
    expect(director.probes().size).toBe(2_000);
    expect(director.counters.refused.too_many).toBe(5);
    await director.stop();
  });
});

it('subjects cannot be broken out of', () => {
  expect(controlSubject('a.b>*')).toBe('netspectra.control.probe.a%2Eb%3E%2A');
});
