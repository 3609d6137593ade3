/** What `up` and `api` share: what the configuration says about addresses, ready to be asked. */
import { cidrList } from '../config/index.js';
import type { Config } from '../config/index.js';
import { ReverseDns, createHostLookup, openEnrichment } from '../enrichment/index.js';
import type { EnrichmentLog, EnrichmentSource, HostLookup } from '../enrichment/index.js';
import { UserError } from '../errors.js';

export interface ConfiguredEnrichment {
  /** for the engine's rows */
  readonly source: EnrichmentSource;
  /** for answers */
  readonly hosts: HostLookup;
  /** null: it is off */
  readonly reverseDns: ReverseDns | null;
  close(): void;
}

/**
 * Open the files that the configuration names, and the way to DNS when it is on.
 * @throws UserError, as openEnrichment; NS_CONFIG_INVALID for a DNS server that is no address
 */
export async function openConfiguredEnrichment(config: Config, log: EnrichmentLog): Promise<ConfiguredEnrichment> {
  const { networks, enrichment } = config;
  const reverseDns = reverseDnsOf(config);
  const source = await openEnrichment(
    {
      networks: networks.map((network) => ({ name: network.name, cidr: cidrList(network), local: network.local })),
      countryFile: enrichment.country_file,
      asnFile: enrichment.asn_file,
      checkMillis: enrichment.check_interval * 1000,
    },
    log,
  );
  const { scope, budget } = enrichment.reverse_dns;
  return {
    source,
    hosts: createHostLookup({ enricher: source.enricher, reverseDns, scope, budgetMillis: budget * 1000 }),
    reverseDns,
    close() {
      source.close();
      reverseDns?.close();
    },
  };
}

function reverseDnsOf({ enrichment }: Config): ReverseDns | null {
  const options = enrichment.reverse_dns;
  if (!options.enabled) return null;
  try {
    return new ReverseDns({
      servers: options.servers,
      timeoutMillis: Math.round(options.timeout * 1000),
      cacheSize: options.cache_size,
      ttlMillis: options.ttl * 1000,
      negativeTtlMillis: options.negative_ttl * 1000,
      concurrency: options.concurrency,
    });
  } catch (error) {
    throw new UserError(
      'NS_CONFIG_INVALID',
      `enrichment.reverse_dns.servers: expected addresses like 192.0.2.53 or [2001:db8::53]:5353, got ${options.servers.join(', ')}`,
      { cause: error },
    );
  }
}
