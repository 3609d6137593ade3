// @ts-check
/** HTTP sessions: a connection of the engine that is kept for the next request that names it. */
import { ClickHouseException } from './exceptions.js';

/**
 * @typedef {import('./engine.js').ChdbSession} ChdbSession
 * @typedef {{ connection: ChdbSession, busy: boolean, timer: NodeJS.Timeout | undefined }} Session
 */

const secondsDefault = 60;
const secondsMax = 3600;

export class Sessions {
  /** @param {(connection: ChdbSession) => void} release */
  constructor(release) {
    this.releaseConnection = release;
    /** @type {Map<string, Session>} */
    this.sessions = new Map();
  }

  /**
   * The session that a request names, locked for it; null when it names none.
   * @param {URLSearchParams} query
   * @param {() => ChdbSession} connect
   * @throws ClickHouseException SESSION_NOT_FOUND, SESSION_IS_LOCKED, INVALID_SESSION_TIMEOUT
   */
  take(query, connect) {
    const id = query.get('session_id');
    if (id === null || id === '') return null;
    const seconds = Number(query.get('session_timeout') ?? secondsDefault);
    if (!(seconds >= 0 && seconds <= secondsMax)) {
      throw new ClickHouseException(
        374,
        'INVALID_SESSION_TIMEOUT',
        `Invalid session timeout: '${query.get('session_timeout')}'`,
      );
    }
    let session = this.sessions.get(id);
    if (!session && query.get('session_check') === '1') {
      throw new ClickHouseException(372, 'SESSION_NOT_FOUND', `Session ${id} not found`);
    }
    if (session?.busy)
      throw new ClickHouseException(373, 'SESSION_IS_LOCKED', `Session ${id} is locked by a concurrent client`);
    session ??= { connection: connect(), busy: false, timer: undefined };
    this.sessions.set(id, session);
    const taken = session;
    clearTimeout(taken.timer);
    taken.busy = true;
    const release = () => {
      taken.busy = false;
      if (query.get('close_session') === '1') this.end(id);
      else taken.timer = setTimeout(() => this.end(id), seconds * 1000).unref();
    };
    return { connection: taken.connection, release };
  }

  /** @param {string} id */
  end(id) {
    const session = this.sessions.get(id);
    if (!session) return;
    clearTimeout(session.timer);
    this.sessions.delete(id);
    this.releaseConnection(session.connection);
  }
}
