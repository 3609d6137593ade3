/** What is known about a host besides its traffic: name, country, autonomous system, network, first and last seen. */
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { dateTimeFormat } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import { filterTables, parseFilter } from '@netspectra/query';
import { useCallback } from 'react';
import { andFilters, literal } from '../../../datasource/model/filter-terms.js';
import { PageState } from '../../shared/page-state.js';
import { callResource } from '../../shared/resources.js';
import { useData } from '../../shared/use-data.js';

interface Known {
  readonly address: string;
  readonly name: string;
  readonly country: string;
  readonly asn: number;
  readonly as_name: string;
  readonly network: string;
  readonly local: boolean;
}

interface FlowsPage {
  /** ms since 1970 of the first packet */
  readonly flows: readonly { readonly first: number }[];
}

interface Facts {
  readonly known: Known;
  /** first packets of the oldest and the newest flow in the range, ms since 1970 */
  readonly seen: { readonly first: number; readonly last: number } | undefined;
}

interface Props {
  readonly uid: string;
  readonly host: string;
  readonly filter: string;
  /** ms since 1970 */
  readonly from: number;
  readonly to: number;
}

/** Which flows of a host count; a filter on names (DNS, HTTP, TLS), which flow records do not have, leaves out none. */
export function flowsFilter(host: string, filter: string): string {
  const parsed = parseFilter(filter);
  const fits = parsed.ok && filterTables(parsed.filter).includes('flows');
  return andFilters(fits ? filter : '', `host = ${literal({ kind: 'address' }, host)}`);
}

async function askFacts({ uid, host, filter, from, to }: Props): Promise<Facts> {
  const wanted = flowsFilter(host, filter);
  const end = async (order: 'asc' | 'desc'): Promise<number | undefined> => {
    const params = { from, to, filter: wanted, order, limit: 1 };
    return (await callResource<FlowsPage>(uid, 'flows', { params })).flows[0]?.first;
  };
  const [known, first, last] = await Promise.all([
    callResource<Known>(uid, `hosts/${encodeURIComponent(host)}`),
    end('asc'),
    end('desc'),
  ]);
  return { known, seen: first === undefined || last === undefined ? undefined : { first, last } };
}

export function HostFacts({ uid, host, filter, from, to }: Props) {
  const loaded = useData(useCallback(() => askFacts({ uid, host, filter, from, to }), [uid, host, filter, from, to]));
  const styles = useStyles2(getStyles);
  return (
    <PageState loaded={loaded} what="what is known about the host">
      {(facts) => (
        <dl className={styles.facts}>
          {factsOf(facts).map(([term, text]) => (
            <div key={term}>
              <dt className={styles.term}>{term}</dt>
              <dd className={styles.text}>{text}</dd>
            </div>
          ))}
        </dl>
      )}
    </PageState>
  );
}

/** What there is to say, term by term; what is not known is left out. */
export function factsOf({ known, seen }: Facts): readonly (readonly [term: string, text: string])[] {
  const { address, name, country, asn, as_name: asName, network, local } = known;
  const all: readonly (readonly [string, string])[] = [
    ['Address', address],
    ['Name', name],
    ['Country', country],
    ['Autonomous system', asn === 0 ? '' : `AS${asn} ${asName}`.trim()],
    ['Network', network],
    ['Place', local ? 'in a local network' : ''],
    ['First flow in range', seen === undefined ? 'none' : dateTimeFormat(seen.first)],
    ['Last flow in range', seen === undefined ? '' : dateTimeFormat(seen.last)],
  ];
  return all.filter(([, text]) => text !== '');
}

const getStyles = (theme: GrafanaTheme2) => ({
  facts: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1, 4), margin: 0 }),
  term: css({ color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular }),
  text: css({ margin: 0, overflowWrap: 'anywhere' }),
});
