// @ts-check
/**
 * Who asks: ClickHouse's ways of naming user and password (HTTP handler of ClickHouse 25, `authenticateUser`):
 * X-ClickHouse-User/-Key headers, basic authentication, `user` and `password` in the URL, or the common name of a client
 * certificate. They exclude each other.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ClickHouseException } from './exceptions.js';

/**
 * @typedef {object} User
 * @property {string} name
 * @property {string} password
 * @property {string} [certificateName] common name of the client certificate that stands for the password
 * @property {0 | 1 | 2} [readonly] profile
 * @property {boolean} [noDatabases] may not create databases
 */

const refused = (/** @type {string} */ text) => new ClickHouseException(516, 'AUTHENTICATION_FAILED', text);
const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest();

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {URLSearchParams} query
 * @param {ReadonlyArray<User>} users
 * @returns {User}
 * @throws ClickHouseException AUTHENTICATION_FAILED
 */
export function authenticate(request, query, users) {
  const header = (/** @type {string} */ name) => String(request.headers[name] ?? '');
  let name = header('x-clickhouse-user');
  let password = header('x-clickhouse-key');
  const byCertificate = header('x-clickhouse-ssl-certificate-auth') === 'on';
  const inQuery = query.has('user') || query.has('password');
  const basic = request.headers.authorization;
  if (name !== '' || password !== '' || byCertificate) {
    if (basic !== undefined || inQuery) throw refused('Invalid authentication: it is not allowed to mix schemes');
    if (byCertificate) {
      if (password !== '') {
        throw refused(
          'Invalid authentication: it is not allowed to use SSL certificate authentication and authentication via password simultaneously',
        );
      }
      const socket = /** @type {import('node:tls').TLSSocket} */ (request.socket);
      const commonName = socket.getPeerCertificate?.()?.subject?.CN ?? '';
      if (commonName === '')
        throw refused(
          "Invalid authentication: SSL certificate authentication requires nonempty certificate's Common Name",
        );
      const user = users.find((one) => one.name === name && one.certificateName === commonName);
      if (!user) throw unknown(name);
      return user;
    }
  } else if (basic !== undefined) {
    if (inQuery) throw refused('Invalid authentication: it is not allowed to mix schemes');
    const [scheme, text = ''] = basic.split(' ', 2);
    if (scheme?.toLowerCase() !== 'basic')
      throw refused(`Invalid authentication: '${scheme}' HTTP Authorization scheme is not supported`);
    const decoded = Buffer.from(text, 'base64').toString();
    const colon = decoded.indexOf(':');
    name = decoded.slice(0, colon);
    password = decoded.slice(colon + 1);
  } else {
    name = query.get('user') ?? 'default';
    password = query.get('password') ?? '';
  }
  const user = users.find((one) => one.name === (name === '' ? 'default' : name));
  if (!user || user.certificateName !== undefined || !timingSafeEqual(digest(password), digest(user.password)))
    throw unknown(name);
  return user;
}

const unknown = (/** @type {string} */ name) =>
  refused(`${name}: Authentication failed: password is incorrect, or there is no user with such name.`);
