/** Checks of the `networks` section that the schema cannot say: are they networks, and does none have two names? */
import { formatNetwork, networkOf, parseAddress, parseNetwork } from '@netspectra/query';
import type { Network } from '@netspectra/query';
import type { Config } from './schema.js';

type Networks = Config['networks'];

/** Prefixes of all networks together: some thousands are a company's, more would be a routing table. */
const prefixesMax = 65_536;

/** The section's `cidr` as a list, whichever way it was written. */
export const cidrList = (network: Networks[number]): readonly string[] =>
  typeof network.cidr === 'string' ? [network.cidr] : network.cidr;

/** A mistake: where (below `networks`) and what. */
export interface NetworkIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The mistakes of the section, in its order. */
export function networkIssues(networks: Networks): NetworkIssue[] {
  const issues: NetworkIssue[] = [];
  const seen = new Map<string, { readonly at: number; readonly name: string; readonly local: boolean }>();
  for (const [i, entry] of networks.entries()) {
    for (const [j, text] of cidrList(entry).entries()) {
      const path = typeof entry.cidr === 'string' ? [i, 'cidr'] : [i, 'cidr', j];
      const network = readCidr(text);
      if (typeof network === 'string') {
        issues.push({ path, message: network });
        continue;
      }
      const written = formatNetwork(network);
      const other = seen.get(written);
      if (other && (other.name !== entry.name || other.local !== entry.local)) {
        issues.push({
          path,
          message: `${written} is in networks[${other.at}] "${other.name}" already: keep it in one`,
        });
      }
      if (!other) seen.set(written, { at: i, name: entry.name, local: entry.local });
    }
  }
  if (seen.size > prefixesMax) {
    issues.push({ path: [], message: `expected at most ${prefixesMax} prefixes in all, got ${seen.size}` });
  }
  return issues;
}

/** The network, or what is wrong with the text. A single address is a network of its own. */
function readCidr(text: string): Network | string {
  const slash = text.lastIndexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address && slash < 0) return networkOf(address, 128);
  const network = parseNetwork(text);
  if (!address || !network) {
    return `expected a network like 10.0.0.0/8 or 2001:db8::/32, got ${JSON.stringify(text)}`;
  }
  const exact = network.words.every((word, i) => word === address[i]);
  // A filter may say 10.1.2.3/8; in a configuration it is rather a digit too many.
  return exact ? network : `${text} has host bits: did you mean ${formatNetwork(network)}?`;
}
