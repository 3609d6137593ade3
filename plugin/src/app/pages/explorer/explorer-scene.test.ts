// @vitest-environment jsdom
import '../../../testing/dom.js';
import { VizPanel } from '@grafana/scenes';
import { describe, expect, it, vi } from 'vitest';
import { ExplorerScene } from './explorer-scene.js';

vi.mock('../../../datasource/editor/filter-field.js', () => ({ FilterField: () => null }));

const titles = (scene: ExplorerScene): string[] =>
  scene.state.body.state.children.map((child) => {
    const body = 'body' in child.state ? child.state.body : undefined;
    return body instanceof VizPanel ? body.state.title : '';
  });

describe('the explorer', () => {
  it('follows the address, and the address follows it', () => {
    const scene = new ExplorerScene('u1');
    expect(Object.values(scene.getUrlState()).every((value) => value === null)).toBe(true);
    scene.updateFromUrl({ view: 'host', host: '10.0.0.1', filter: 'tcp' });
    expect(titles(scene)).toContain('Sent to');
    expect(scene.getUrlState()).toMatchObject({ view: 'host', host: '10.0.0.1', filter: 'tcp' });
    scene.updateFromUrl({ filter: null });
    expect(scene.getUrlState()).toMatchObject({ view: 'host', host: '10.0.0.1', filter: null });
    const more = { live: 'on', at: '1767225600000', rows: '1000' };
    scene.updateFromUrl(more);
    expect(scene.getUrlState()).toMatchObject(more);
    scene.updateFromUrl({ live: 'x', at: null, rows: '999999999' });
    expect(scene.getUrlState()).toMatchObject({ live: null, at: null, rows: null });
    scene.updateFromUrl({ view: 'nowhere' });
    expect(scene.state.view).toBe('overview');
  });

  it('draws other panels only for another place', () => {
    const scene = new ExplorerScene('u1');
    const before = scene.state.body;
    scene.go({ filter: '' });
    expect(scene.state.body).toBe(before);
    scene.go({ view: 'flows' });
    expect(titles(scene)).toEqual(['Flow records']);
  });
});
