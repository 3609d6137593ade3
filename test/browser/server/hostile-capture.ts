/** A capture in which every captured name is markup that would run as a script if a page took it for HTML. */
import { writeFileSync } from 'node:fs';
import { pcapFile } from '../../../scripts/lib/capture-files.js';
import { clientHello, dnsMessage, httpRequest, httpResponse } from '../../../scripts/lib/messages.js';
import { Random } from '../../../scripts/lib/random.js';
import { sampleStart } from '../../../scripts/lib/sample-traffic.js';
import { Link, TcpSession, sendUdp } from '../../../scripts/lib/session.js';
import { hostileClient, hostileName } from '../hostile.js';

const second = 1e9;
const server = '198.51.100.66';

/** Write the capture: a DNS lookup, a request and a ClientHello, in the sample's minute. */
export function writeHostileCapture(path: string): void {
  const random = new Random(1);
  const link = new Link(random);
  const questions = [{ name: `${hostileName('dns')}.example`, type: 'A' }];
  const lookup = { source: hostileClient, destination: '192.0.2.53', sourcePort: 40_000, destinationPort: 53 };
  sendUdp(link, { ...lookup, time: 30 * second, message: dnsMessage({ id: 7, questions }) });
  const answers = [{ name: questions[0]!.name, type: 'A', data: server }];
  sendUdp(link, {
    time: 30.01 * second,
    source: lookup.destination,
    destination: lookup.source,
    sourcePort: 53,
    destinationPort: lookup.sourcePort,
    message: dnsMessage({ id: 7, response: true, questions, answers }),
  });
  const session = (name: string, serverPort: number): TcpSession => {
    const clientPort = 40_000 + serverPort;
    return new TcpSession(link, {
      name,
      client: hostileClient,
      server,
      clientPort,
      serverPort,
      start: 31 * second,
    }).open();
  };
  const web = session('http', 80);
  const request = { method: 'GET', path: `/${hostileName('path')}`, host: hostileName('host') };
  web.send('client', [httpRequest({ ...request, userAgent: hostileName('agent') })]);
  web.send('server', [httpResponse({ status: 200, body: new Uint8Array(64) })]);
  web.close();
  const tls = session('tls', 443);
  tls.send('client', [clientHello({ random, serverName: hostileName('sni') })]);
  tls.close();
  const frames = link.sorted().map(({ time, piece }) => ({
    seconds: sampleStart + Math.floor(time / second),
    nanoseconds: time % second,
    bytes: piece.bytes,
  }));
  writeFileSync(path, pcapFile(frames).bytes);
}
