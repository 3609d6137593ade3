/** A scene whose time range and variables are those of the address. */
import type { EmbeddedScene, SceneComponentProps, SceneObjectState } from '@grafana/scenes';
import { SceneObjectBase, UrlSyncContextProvider } from '@grafana/scenes';

interface State extends SceneObjectState {
  readonly scene: EmbeddedScene;
}

export class UrlSynced extends SceneObjectBase<State> {
  static Component = ({ model }: SceneComponentProps<UrlSynced>) => (
    <UrlSyncContextProvider scene={model.state.scene} updateUrlOnInit={false}>
      <model.state.scene.Component model={model.state.scene} />
    </UrlSyncContextProvider>
  );
}
