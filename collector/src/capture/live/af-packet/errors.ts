/** What can keep an interface from being captured, as people are told. */
import { CaptureError } from '../../errors.js';
import { interfaceNames } from './system.js';

export const privilegeHint =
  'run as root, or give the right to the program (setcap cap_net_raw+ep on the node binary) ' +
  'or to its service (systemd: AmbientCapabilities=CAP_NET_RAW)';

/** No interface of that name. */
export function noInterface(name: string, cause?: unknown): CaptureError {
  const names = interfaceNames();
  const known =
    names.length > 0 ? `there are ${names.slice(0, 20).join(', ')}, and any for all of them` : 'there are none';
  return new CaptureError('NS_CAPTURE_NO_INTERFACE', `${name}: no such interface; ${known}`, cause);
}

/** The CaptureError for a system call that failed while `name` was opened. */
export function liveCaptureError(name: string, cause: unknown): CaptureError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = cause instanceof Error ? cause.message : String(cause);
  switch (code) {
    case 'EPERM':
    case 'EACCES':
      return new CaptureError('NS_CAPTURE_NO_PERMISSION', `${name}: no permission to capture; ${privilegeHint}`, cause);
    case 'ENODEV':
    case 'ENXIO':
      return noInterface(name, cause);
    case 'ENOMEM':
      return new CaptureError(
        'NS_CAPTURE_NO_MEMORY',
        `${name}: no memory for the ring; set capture.ring_bytes lower`,
        cause,
      );
    case 'EAFNOSUPPORT':
    case 'ENOPROTOOPT':
    case 'ENOSYS':
      return new CaptureError(
        'NS_CAPTURE_NOT_SUPPORTED',
        `${name}: this kernel has no packet sockets with memory rings (${why}); Linux 4.5 or newer with CONFIG_PACKET has`,
        cause,
      );
    default:
      return new CaptureError(
        'NS_CAPTURE_NOT_READABLE',
        `${name} cannot be captured (${why}); check that it exists and is up (ip link show ${name})`,
        cause,
      );
  }
}
