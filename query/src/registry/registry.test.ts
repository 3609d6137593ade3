import { describe, expect, it } from 'vitest';
import {
  dimensions,
  findDimension,
  findMeasure,
  isDimensionId,
  isDirectedMeasure,
  isMeasureId,
  measureTables,
  measures,
  nameOf,
  namesOf,
  numberOf,
  queryTableNames,
  queryTables,
  sourceSql,
  sourceSqlBy,
  summands,
} from './index.js';
import type { Dimension, Measure, Source } from './index.js';

const units = ['short', 'bytes', 'pps', 'bps', 'cps', 'ns', 'percentunit', 'none'];
const allMeasures: readonly Measure[] = measures;
const allDimensions: readonly Dimension[] = dimensions;
const identifiers = (expression: string): string[] =>
  [...expression.replace(/'[^']*'/g, '').matchAll(/[a-z_][A-Za-z0-9_]*(?!\w*\()/g)].map((match) => match[0]);

describe('registry', () => {
  it('has ids in snake case, each once, with words for people', () => {
    const ids = [...allMeasures, ...allDimensions].map((entry) => entry.id);
    for (const entry of [...allMeasures, ...allDimensions]) {
      expect(entry.id).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(entry.label.length).toBeGreaterThan(1);
      expect(entry.description).toMatch(/^[A-Z0-9].*\.$/);
    }
    expect(new Set(allMeasures.map((entry) => entry.id)).size).toBe(allMeasures.length);
    expect(new Set(allDimensions.map((entry) => entry.id)).size).toBe(allDimensions.length);
    expect(ids).toEqual(
      expect.arrayContaining(['bits_per_second', 'rtt_p95', 'distinct_src_ip', 'src_ip', 'dns_name']),
    );
  });

  it('has a unit and a table for every measure', () => {
    for (const measure of allMeasures) {
      expect(units, measure.id).toContain(measure.unit);
      expect(measureTables(measure).length, measure.id).toBeGreaterThan(0);
    }
  });

  it('has a table for every dimension', () => {
    for (const dimension of allDimensions)
      expect(Object.keys(dimension.sources).length, dimension.id).toBeGreaterThan(0);
  });

  it('says all columns that an expression reads', () => {
    const sources = allDimensions.flatMap((dimension) => Object.values(dimension.sources));
    const sums = allMeasures.flatMap((measure) =>
      measure.kind === 'sum' || measure.kind === 'distinct' ? Object.values(measure.sources) : [],
    );
    for (const source of [...sources, ...sums] as Source[]) {
      const text = source.scope === 'flow' ? source.expression : `${source.client} ${source.server}`;
      for (const name of identifiers(`${text} ${source.presentWhen ?? ''}`)) expect(source.columns).toContain(name);
    }
  });

  it('names every table once, cheapest first, rollups last', () => {
    expect([...queryTableNames].sort()).toEqual(Object.keys(queryTables).sort());
    expect(queryTableNames.slice(-3)).toEqual(['flows', 'flows_1m', 'flows_1h']);
    expect(measureTables(findMeasure('bits_per_second')!)).toEqual(['traffic', 'flows', 'flows_1m', 'flows_1h']);
    expect(measureTables(findMeasure('retransmission_ratio')!)).toEqual([
      'tcp_health',
      'flows',
      'flows_1m',
      'flows_1h',
    ]);
    expect(measureTables(findMeasure('distinct_src_ip')!)).toEqual(['sketches', 'flows']);
  });

  it('makes rates and ratios of sums', () => {
    expect(summands(findMeasure('bits_per_second')!).map((measure) => measure.id)).toEqual(['bytes']);
    expect(summands(findMeasure('dns_error_ratio')!).map((measure) => measure.id)).toEqual([
      'dns_errors',
      'dns_responses',
    ]);
    for (const measure of allMeasures) expect(() => summands(measure)).not.toThrow();
  });

  it('tells directions apart', () => {
    const source = findDimension('src_ip')!.sources.flows!;
    expect([sourceSql(source, 0), sourceSql(source, 1)]).toEqual(['client_ip', 'server_ip']);
    expect(sourceSqlBy(source, 'way')).toBe('if(way = 0, client_ip, server_ip)');
    expect(sourceSqlBy(findDimension('vlan')!.sources.flows!, 'way')).toBe('vlan');
    expect(isDirectedMeasure(findMeasure('distinct_src_ip')!, 'flows')).toBe(true);
    expect(isDirectedMeasure(findMeasure('distinct_client_ip')!, 'flows')).toBe(false);
    expect(isDirectedMeasure(findMeasure('bytes')!, 'flows')).toBe(false);
    for (const dimension of allDimensions) {
      const twoSided = Object.values(dimension.sources).some((entry) => entry.scope === 'directed');
      expect(dimension.scope === 'directed', dimension.id).toBe(twoSided);
    }
  });

  it('does not take names of Object.prototype for ids', () => {
    expect([isMeasureId('constructor'), isDimensionId('__proto__'), findMeasure('toString')]).toEqual([
      false,
      false,
      undefined,
    ]);
    expect(numberOf('protocol', 'constructor')).toBeUndefined();
  });

  it('knows protocols and services', () => {
    expect([numberOf('protocol', 'TCP'), numberOf('protocol', 'icmpv6'), nameOf('protocol', 58)]).toEqual([
      6,
      58,
      'ipv6-icmp',
    ]);
    expect([numberOf('service', 'dns'), numberOf('service', 'https'), nameOf('service', 53)]).toEqual([
      53,
      443,
      'domain',
    ]);
    expect(nameOf('service', 4)).toBeUndefined();
    expect([numberOf('asn', 'AS64500'), numberOf('asn', 'as4294967296'), numberOf('asn', 'asx')]).toEqual([
      64500,
      undefined,
      undefined,
    ]);
    expect(['syn-ack', 'fin-psh-ack', 'none', 'ack'].map((name) => numberOf('tcp_flags', name))).toEqual([
      18, 25, 0, 16,
    ]);
    expect([numberOf('icmp_type', 'destination-unreachable'), nameOf('icmp_type', 3)]).toEqual([3, undefined]);
    expect([numberOf('dscp', 'EF'), nameOf('dscp', 10)]).toEqual([46, 'af11']);
    expect(namesOf('service').length).toBeGreaterThan(400);
    // A name must give the number that is written with it, or filters would change when they are written.
    for (const table of [
      ...(['protocol', 'service', 'ether_type', 'end_reason', 'asn'] as const),
      ...(['traffic_direction', 'icmp_type', 'dscp', 'tcp_flags'] as const),
    ]) {
      expect(new Set(namesOf(table)).size, table).toBe(namesOf(table).length);
      for (const name of namesOf(table)) {
        const number = numberOf(table, name)!;
        const written = nameOf(table, number);
        if (written !== undefined) expect(numberOf(table, written)).toBe(number);
      }
    }
  });
});
