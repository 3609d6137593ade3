/** The links at the top of a dashboard. */
import type { DashboardLink } from '@grafana/schema';
import type { SceneComponentProps, SceneObjectState } from '@grafana/scenes';
import { SceneObjectBase } from '@grafana/scenes';
import type { IconName } from '@grafana/ui';
import { LinkButton } from '@grafana/ui';

interface State extends SceneObjectState {
  readonly links: readonly DashboardLink[];
}

/** Grafana's icons have other names in the stored dashboard. */
const icons: Readonly<Record<string, IconName>> = { bolt: 'bolt', info: 'info-circle', 'external link': 'bars' };

export class LinkButtons extends SceneObjectBase<State> {
  static Component = ({ model }: SceneComponentProps<LinkButtons>) =>
    model.state.links.map(({ title, tooltip, url, icon }) => (
      <LinkButton key={title} variant="secondary" tooltip={tooltip} href={url ?? ''} icon={icons[icon] ?? 'link'}>
        {title}
      </LinkButton>
    ));
}
