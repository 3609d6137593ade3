/** Names that Grafana knows the bundle by, and where its pages are. */
export const appId = 'netspectra-app';
export const datasourceId = 'netspectra-datasource';
const appPath = `/a/${appId}`;

export const pages = {
  home: `${appPath}/home`,
  explorer: `${appPath}/explorer`,
  probes: `${appPath}/probes`,
  captureRules: `${appPath}/capture-rules`,
} as const;
