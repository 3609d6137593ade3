// @vitest-environment jsdom
import '../../../testing/dom.js';
import { describe, expect, it } from 'vitest';
import { factsOf, flowsFilter } from './host-facts.js';

const known = {
  address: '192.0.2.7',
  name: '',
  country: '',
  asn: 0,
  as_name: '',
  network: '',
  local: false,
};

it('leaves out what is not known of a host', () => {
  expect(factsOf({ known, seen: undefined }).map(([term]) => term)).toEqual(['Address', 'First flow in range']);
});

it('tells what the enrichment knows, and when the host was seen', () => {
  const enriched = { ...known, name: 'a.example', country: 'DE', asn: 64500, as_name: 'Example', network: 'office' };
  const facts = Object.fromEntries(factsOf({ known: { ...enriched, local: true }, seen: { first: 0, last: 1 } }));
  expect(facts).toMatchObject({
    Name: 'a.example',
    Country: 'DE',
    'Autonomous system': 'AS64500 Example',
    Network: 'office',
    Place: 'in a local network',
  });
  expect(facts).toHaveProperty(['Last flow in range']);
});

describe('the flows of a host', () => {
  it('are those that the filter keeps, and all of them when it is on what flow records do not have', () => {
    expect(flowsFilter('192.0.2.1', 'tcp or udp')).toBe('(tcp or udp) and host = 192.0.2.1');
    expect(flowsFilter('192.0.2.1', 'dns_name = "a"')).toBe('host = 192.0.2.1');
    expect(flowsFilter('192.0.2.1', '')).toBe('host = 192.0.2.1');
  });
});
