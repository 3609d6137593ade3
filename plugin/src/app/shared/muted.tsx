/** Text beside the point. */
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { useStyles2 } from '@grafana/ui';
import type { ReactNode } from 'react';

const getStyles = (theme: GrafanaTheme2) => ({ muted: css({ color: theme.colors.text.secondary, margin: 0 }) });

export function Muted({ children }: { readonly children: ReactNode }) {
  const { muted } = useStyles2(getStyles);
  return <p className={muted}>{children}</p>;
}
