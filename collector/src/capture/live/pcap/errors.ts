/** Why libpcap cannot capture an interface, as people are told. */
import { CaptureError } from '../../errors.js';
import { noInterface, privilegeHint } from '../af-packet/errors.js';

// pcap/pcap.h: what pcap_activate answers
const noSuchDevice = -5;
const permissionDenied = -8;
const interfaceNotUp = -9;
const promiscuousDenied = -11;

const rightsHint =
  process.platform === 'linux'
    ? privilegeHint
    : 'run as root, or let this user read /dev/bpf* (Wireshark has ChmodBPF for it)';

/** @param status what `pcap_activate` answered, and `text` what libpcap says of it */
export function openError(name: string, status: number, text: string): CaptureError {
  switch (status) {
    case noSuchDevice:
      return noInterface(name, new Error(text));
    case permissionDenied:
    case promiscuousDenied:
      return new CaptureError('NS_CAPTURE_NO_PERMISSION', `${name}: no permission to capture; ${rightsHint}`);
    case interfaceNotUp:
      return new CaptureError('NS_CAPTURE_NOT_READABLE', `${name}: the interface is down; set it up first`);
    default:
      return new CaptureError(
        'NS_CAPTURE_NOT_READABLE',
        `${name} cannot be captured (libpcap: ${text}); check that it exists and is up`,
      );
  }
}
