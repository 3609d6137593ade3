/** GET /hosts/{address}. */
import { Type } from '@sinclair/typebox';

export const hostParams = Type.Object(
  { address: Type.String({ minLength: 1, maxLength: 64, description: 'IPv4 or IPv6 address' }) },
  { additionalProperties: false },
);

export const hostResponseSchema = Type.Object({
  address: Type.String({ description: 'the address in its usual form' }),
  name: Type.String({
    description: 'by reverse DNS; empty when it has none, or DNS is off, not for this address or too slow',
  }),
  country: Type.String({ description: 'ISO 3166-1 alpha-2; empty when unknown' }),
  asn: Type.Integer({ description: 'autonomous system; 0 when unknown' }),
  as_name: Type.String(),
  network: Type.String({ description: 'configured network; empty when it is in none' }),
  local: Type.Boolean({ description: 'it is in a local network' }),
});
