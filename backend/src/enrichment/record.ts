/**
 * What the databases of different makers say, in one form. The fields that are read:
 *
 * - MaxMind (GeoLite2-Country, -City, -ASN) and DB-IP (…-Lite): `country.iso_code`, `registered_country.iso_code` where
 *   there is no country, `autonomous_system_number`, `autonomous_system_organization`
 * - IPinfo: `country_code` (or `country` where that is the code), `asn` as "AS64500", `as_name`
 * - ip-location-db: `country_code`, `autonomous_system_number`, `autonomous_system_organization`
 * - also seen: `asn` as a number, `as_organization`, `as_domain` where there is no name
 */

/** Country ISO 3166-1 alpha-2 or '', AS number or 0, AS name or ''. */
export interface PlaceRecord {
  readonly country: string;
  readonly asn: number;
  readonly asName: string;
}

/** AS names are for reading: no registry has longer ones that say more. */
const asNameMax = 100;
const asnMax = 0xffffffff;

/** The record in our form; whatever is not there, or not of its kind, is empty. */
export function readRecord(data: unknown): PlaceRecord {
  const fields = isObject(data) ? data : {};
  const country =
    countryCode(fields['country_code']) ||
    countryCode(inner(fields['country'], 'iso_code')) ||
    countryCode(fields['country']) ||
    countryCode(inner(fields['registered_country'], 'iso_code'));
  const asn = asNumber(fields['autonomous_system_number']) || asNumber(fields['asn']) || asNumber(fields['as_number']);
  const asName =
    text(fields['autonomous_system_organization']) ||
    text(fields['as_name']) ||
    text(fields['as_organization']) ||
    text(fields['as_domain']);
  return { country, asn, asName: asn === 0 ? '' : asName };
}

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const inner = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);

/** Two letters; ZZ and XX are what some databases write for "unknown" (user-assigned in ISO 3166-1). */
function countryCode(value: unknown): string {
  if (typeof value !== 'string' || !/^[A-Za-z]{2}$/.test(value)) return '';
  const code = value.toUpperCase();
  return code === 'ZZ' || code === 'XX' ? '' : code;
}

function asNumber(value: unknown): number {
  const number = typeof value === 'string' ? Number(/^(?:AS)?(\d{1,10})$/i.exec(value.trim())?.[1] ?? 0) : value;
  return typeof number === 'number' && Number.isInteger(number) && number > 0 && number <= asnMax ? number : 0;
}

/** Control characters would only do harm in a terminal. */
function text(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value
    .slice(0, 4 * asNameMax)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, asNameMax);
}
