/** A bundled dashboard, by its uid as in Grafana's addresses, with the scene that Grafana itself makes of one. */
import type { Dashboard } from '@grafana/schema';
import { getBackendSrv } from '@grafana/runtime';
import { initPluginTranslations } from '@grafana/i18n';
import { dashboardScene } from '../dashboard/scene.js';
import { Page } from '../shell.js';
import { useLoaded } from '../use-loaded.js';

const load = async () => {
  await initPluginTranslations('grafana-scenes');
  const uid = window.location.pathname.split('/').at(-1) ?? '';
  const dashboard = await getBackendSrv().get<Dashboard>(`/api/dashboards/uid/${uid}`);
  return { title: dashboard.title ?? uid, scene: dashboardScene(dashboard) };
};

export function DashboardPage() {
  const loaded = useLoaded(load);
  return <Page title={loaded?.title ?? ''}>{loaded && <loaded.scene.Component model={loaded.scene} />}</Page>;
}
