/** A dashboard's template variables. */
import type { Dashboard, VariableModel } from '@grafana/schema';
import type { SceneVariable } from '@grafana/scenes';
import { CustomVariable, DataSourceVariable, QueryVariable, SceneVariableSet, TextBoxVariable } from '@grafana/scenes';

export const variablesOf = ({ templating }: Dashboard): SceneVariableSet =>
  new SceneVariableSet({ variables: (templating?.list ?? []).map(variable) });

/** Throws for a type that no bundled dashboard has. */
function variable(model: VariableModel): SceneVariable {
  const { name, label = name, description, type, query, current, multi = false, includeAll = false } = model;
  const chosen = {
    ...(current?.value === undefined ? {} : { value: current.value, text: current.text ?? current.value }),
  };
  const common = { name, label, description: description ?? null };
  const many = { isMulti: multi, includeAll, allValue: model.allValue ?? '' };
  switch (type) {
    case 'datasource':
      return new DataSourceVariable({ ...common, ...many, pluginId: String(query) });
    case 'query':
      return new QueryVariable({
        ...{ ...common, ...many, ...chosen },
        query: query as never,
        datasource: model.datasource ?? null,
        refresh: model.refresh as never,
        allowCustomValue: true,
      });
    case 'custom':
      return new CustomVariable({ ...common, ...many, ...chosen, query: String(query) });
    case 'textbox':
      return new TextBoxVariable({ ...common, value: String(current?.value ?? '') });
    default:
      throw new Error(`the host has no variable of type ${type}`);
  }
}
