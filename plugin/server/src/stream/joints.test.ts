import { beforeEach, expect, test } from 'vitest';
import type { PluginContext } from '../rpc/messages.js';
import { Joints, keyOf } from './joints.js';

const path = 'live/rates/f_';
const context = (login: string): PluginContext => ({
  orgId: 1,
  user: { login, name: '', email: '', role: 'Viewer' },
  dataSourceInstanceSettings: null,
});
const [ann, ben] = [context('ann'), context('ben')];
const key = keyOf(ann, path);
let joints: Joints;
beforeEach(() => void (joints = new Joints()));

test('histories end where the stream will begin, also before it does', () => {
  expect(joints.historyEnd(ann, path, 7_000, 1_000)).toBe(7_000);
  // Another one a moment later, when more is stored: Grafana runs one stream for both.
  expect(joints.historyEnd(ben, path, 9_000, 1_000)).toBe(7_000);
  expect(joints.between(ben, path)).toBeUndefined();
  expect(joints.streamBegins(key)).toBe(7_000);
});

test('a history with wide buckets ends before, and its viewer is given what lies between', () => {
  joints.historyEnd(ann, path, 7_000, 1_000);
  expect(joints.historyEnd(ben, path, 9_000, 5_000)).toBe(5_000);
  expect(joints.between(ben, path)).toEqual({ fromMs: 5_000, toMs: 7_000 });
  expect(joints.between(ann, path)).toBeUndefined();
});

test('a history ends where the stream stands when more is stored, and before when less is', () => {
  joints.historyEnd(ann, path, 7_000, 1_000);
  joints.streamBegins(key);
  joints.streamSent(key, 9_000);
  expect(joints.historyEnd(ben, path, 10_000, 1_000)).toBe(9_000);
  expect(joints.historyEnd(ann, path, 8_000, 1_000)).toBe(8_000);
  joints.streamSent(key, 11_000);
  expect(joints.between(ben, path)).toEqual({ fromMs: 9_000, toMs: 11_000 });
  expect(joints.between(ann, path)).toEqual({ fromMs: 8_000, toMs: 11_000 });
  expect(joints.between(context('somebody'), path)).toBeUndefined();
  joints.historyEnds(ben, path);
  expect(joints.between(ben, path)).toBeUndefined();
});

test('a stream that ended binds nobody; one without a history begins with what is latest', () => {
  joints.historyEnd(ann, path, 7_000, 1_000);
  joints.streamBegins(key);
  joints.streamEnded(key);
  expect(joints.streamBegins(key)).toBeUndefined();
  joints.streamEnded(key);
  expect(joints.historyEnd(ben, path, 12_000, 1_000)).toBe(12_000);
});
