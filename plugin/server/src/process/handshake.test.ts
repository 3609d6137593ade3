import { expect, test } from 'vitest';
import { parseArguments } from './arguments.js';
import { chooseAddress, handshakeLine, portsToTry, refusal } from './handshake.js';

test('the line', () => {
  const address = { network: 'unix', address: '/tmp/plugin1' } as const;
  expect(handshakeLine(address)).toBe('1|2|unix|/tmp/plugin1|grpc|\n');
  expect(handshakeLine(address, { PLUGIN_MULTIPLEX_GRPC: '' })).toBe('1|2|unix|/tmp/plugin1|grpc||false\n');
});

test('who may start it', () => {
  const env = { grafana_plugin_type: 'datasource', PLUGIN_PROTOCOL_VERSIONS: '1,2' };
  expect(refusal(env)).toBeUndefined();
  expect(refusal({})).toMatch(/Grafana starts it/);
  expect(refusal({ ...env, grafana_plugin_type: 'other' })).toMatch(/Grafana starts it/);
  expect(refusal({ ...env, PLUGIN_PROTOCOL_VERSIONS: '3' })).toMatch(/speaks 2/);
  expect(refusal({ ...env, PLUGIN_CLIENT_CERT: '-----BEGIN' })).toMatch(/TLS/);
});

test('where it listens', () => {
  expect(chooseAddress({ PLUGIN_UNIX_SOCKET_DIR: '/tmp' }, 'linux').address).toMatch(/^\/tmp\/plugin[0-9a-f]{16}$/);
  expect(chooseAddress({ PLUGIN_UNIX_SOCKET_DIR: '/tmp' }, 'win32')).toEqual({
    network: 'tcp',
    address: '127.0.0.1:0',
  });
  expect(chooseAddress({ PLUGIN_UNIX_SOCKET_DIR: `/tmp/${'x'.repeat(90)}` }, 'linux').network).toBe('tcp');
  expect(chooseAddress({ PLUGIN_UNIX_SOCKET_DIR: '/nonexistent' }, 'linux').network).toBe('tcp');
  const ports = portsToTry({ PLUGIN_MIN_PORT: '10000', PLUGIN_MAX_PORT: '10001' });
  expect(ports.at(-1)).toBe(0);
  expect(ports.slice(0, -1).every((port) => port === 10_000 || port === 10_001)).toBe(true);
  for (const wrong of ['x', '0', '99999'])
    expect(portsToTry({ PLUGIN_MIN_PORT: wrong, PLUGIN_MAX_PORT: wrong })).toEqual([0]);
});

test('arguments', () => {
  expect(parseArguments([])).toEqual({ standalone: false, listen: '127.0.0.1:50061' });
  expect(parseArguments(['--standalone', '--listen', '127.0.0.1:7'])).toEqual({
    standalone: true,
    listen: '127.0.0.1:7',
  });
  expect(parseArguments(['--listen', '0.0.0.0:7'])).toMatchObject({
    mistake: expect.stringContaining('127.0.0.1') as string,
  });
  expect(parseArguments(['-x'])).toMatchObject({ mistake: expect.stringContaining('-x') as string });
});
