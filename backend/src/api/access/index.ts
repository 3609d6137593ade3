/** Access control of the API. */
export { Access } from './access.js';
export type { AccessDeps } from './access.js';
export { parseNetwork } from './address.js';
export { isCertificateMatch } from './client-certificate.js';
export { authModes, clientCertificateModes } from './config.js';
export type { AccessConfig, AuthMode, CertificateRole, TlsConfig } from './config.js';
export { actorOf, clientKey } from './identity.js';
export type { Identity } from './identity.js';
export { parseListen } from './listen.js';
export { requireRoles } from './roles.js';
export type { Authorize, Role } from './roles.js';
export { readTls, watchTls } from './tls.js';
