/** NATS' errors about streams, in our words. */
import { BusError } from './bus.js';
import { natsCode, natsError } from './jetstream-streams.js';

/** A BusError for what went wrong with a stream. */
export function describeStreamError(error: unknown, stream: string): BusError {
  if (error instanceof BusError) return error;
  const name = error instanceof Error ? error.name : '';
  const text = error instanceof Error ? error.message : String(error);
  if (name === 'JetStreamNotEnabled' || natsCode(error) === 10039 || natsCode(error) === 10076)
    return new BusError(
      'NS_BUS_NO_JETSTREAM',
      'the NATS server has JetStream turned off; start it with jetstream in its configuration (or -js)',
      { cause: error },
    );
  if (natsCode(error) === natsError.streamNotFound)
    return new BusError(
      'NS_BUS_STREAM',
      `stream ${stream} is not there; an engine or probe that may make streams makes it`,
      {
        cause: error,
      },
    );
  if (name === 'PermissionViolationError' || /permissions violation/i.test(text))
    return new BusError('NS_BUS_PERMISSION', `${text}; give this user the permissions of docs/bus.md`, {
      cause: error,
    });
  if (natsCode(error) !== 0) return new BusError('NS_BUS_STREAM', `stream ${stream}: ${text}`, { cause: error });
  return new BusError('NS_BUS_UNREACHABLE', `NATS did not answer about stream ${stream} (${text})`, { cause: error });
}
