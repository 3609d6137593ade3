/** What stands around every page: Grafana's bar and menu, as much as a plugin's page can tell from it. */
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import type { PluginPageProps } from '@grafana/runtime';
import { Stack, Text, useStyles2 } from '@grafana/ui';
import type { ReactNode } from 'react';
import { useLocation } from 'react-router';
import { appMeta, boot } from './boot.js';

export interface PageProps {
  readonly title: string;
  readonly subTitle?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** A page with its heading. */
export function Page({ title, subTitle, actions, children }: PageProps) {
  const styles = useStyles2(getStyles);
  return (
    <div className={styles.page}>
      <div className={styles.heading}>
        <div>
          <Text element="h1">{title}</Text>
          {subTitle !== undefined && <div className={styles.subTitle}>{subTitle}</div>}
        </div>
        <Stack gap={1}>{actions}</Stack>
      </div>
      {children}
    </div>
  );
}

/** What the plugin gets as runtime's PluginPage: the heading is that of the page's entry in plugin.json. */
export function PluginPage({ subTitle, actions, children, pageNav }: PluginPageProps) {
  const { pathname } = useLocation();
  const include = appMeta.includes.find(({ path }) => path?.replace('%PLUGIN_ID%', appMeta.id) === pathname);
  return (
    <Page title={pageNav?.text ?? include?.name ?? appMeta.name} subTitle={subTitle} actions={actions}>
      {children}
    </Page>
  );
}

export function Shell({ children }: { readonly children: ReactNode }) {
  const styles = useStyles2(getStyles);
  const { pathname } = useLocation();
  const roles = ['Viewer', 'Editor', 'Admin'];
  const entries = appMeta.includes.filter(
    ({ addToNav, role = 'Viewer' }) => addToNav && roles.indexOf(boot.user.orgRole) >= roles.indexOf(role),
  );
  return (
    <div className={styles.shell}>
      <nav aria-label="Pages" className={styles.menu}>
        <Text variant="bodySmall" color="secondary">
          NetSpectra
        </Text>
        {entries.map(({ name, path = '' }) => {
          const href = path.replace('%PLUGIN_ID%', appMeta.id);
          return (
            <a key={name} href={href} {...(href === pathname ? { 'aria-current': 'page' } : {})}>
              {name}
            </a>
          );
        })}
      </nav>
      <main className={styles.main} data-testid="host-content">
        {children}
      </main>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  shell: css({ display: 'flex', minHeight: '100vh', background: theme.colors.background.canvas }),
  menu: css({
    width: 200,
    flex: 'none',
    padding: theme.spacing(2),
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(1.5),
    borderRight: `1px solid ${theme.colors.border.weak}`,
    background: theme.colors.background.primary,
    '& [aria-current]': { fontWeight: theme.typography.fontWeightMedium, color: theme.colors.text.maxContrast },
  }),
  main: css({ flex: 1, minWidth: 0, background: theme.colors.background.primary }),
  page: css({ padding: theme.spacing(3), maxWidth: 1600, display: 'flex', flexDirection: 'column' }),
  heading: css({
    display: 'flex',
    justifyContent: 'space-between',
    alignItems: 'flex-start',
    gap: theme.spacing(2),
    marginBottom: theme.spacing(2),
  }),
  subTitle: css({ color: theme.colors.text.secondary }),
});
