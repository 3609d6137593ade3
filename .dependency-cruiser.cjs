/** Who may import whom: docs/architecture.md, "Folders". */
const only = (from, allowed) => ({
  name: `${from}-imports`,
  comment: `${from} may import only ${allowed.length ? allowed.join(', ') : 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^${from}/src` },
  to: { path: '^(proto|query|collector|backend|plugin)/', pathNot: `^(${[from, ...allowed].join('|')})/` },
});
/** The same between the backend's folders; all of them may import errors.ts and health.ts. */
const inBackend = (from, allowed) => ({
  name: `backend-${from}-imports`,
  comment: `backend/src/${from} may import ${allowed.length ? `only ${allowed.join(', ')}` : 'no other folder of the backend'}`,
  severity: 'error',
  from: { path: `^backend/src/${from}/`, pathNot: '\\.test\\.ts$' },
  to: { path: '^backend/src/', pathNot: `^backend/src/(errors\\.ts|health\\.ts|(${[from, ...allowed].join('|')})/)` },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('proto', []),
    only('query', []),
    only('collector', ['proto', 'query']),
    only('backend', ['collector', 'proto', 'query']),
    {
      name: 'plugin-imports',
      comment: 'the Grafana bundle may import only query',
      severity: 'error',
      from: { path: '^plugin/(server/)?src' },
      to: { path: '^(proto|collector|backend)/' },
    },
    {
      name: 'plugin-front-end-imports',
      comment: "of the datasource's server side the front end may import only the contract",
      severity: 'error',
      from: { path: '^plugin/src', pathNot: '\\.test\\.tsx?$' },
      to: { path: '^plugin/server/src/(?!contract)' },
    },
    {
      name: 'plugin-contract-stands-alone',
      comment: 'plugin/server/src/contract is shared with the front end: a browser loads it',
      severity: 'error',
      from: { path: '^plugin/server/src/contract', pathNot: '\\.test\\.ts$' },
      to: { path: '^plugin/server/src/(?!contract)' },
    },
    {
      name: 'plugin-contract-without-node',
      severity: 'error',
      from: { path: '^plugin/server/src/contract', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'browser-packages-without-node',
      comment: 'proto, query and decode and filter of collector run in the browser too',
      severity: 'error',
      from: { path: '^(proto/src|query/src|collector/src/(decode|filter))', pathNot: '\\.(test|bench)\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'decode-stands-alone',
      severity: 'error',
      from: { path: '^collector/src/decode' },
      to: { path: '^collector/src/(?!decode)' },
    },
    {
      name: 'engine-knows-no-storage-or-api',
      comment: 'the engine hands rows to a Writer; who writes them is wired in cli',
      severity: 'error',
      from: { path: '^backend/src/engine' },
      to: { path: '^backend/src/(storage|api|cli)/' },
    },
    {
      name: 'storage-knows-no-api',
      severity: 'error',
      from: { path: '^backend/src/storage' },
      to: { path: '^backend/src/(engine|api|cli)/' },
    },
    {
      name: 'api-knows-no-engine',
      severity: 'error',
      from: { path: '^backend/src/api' },
      to: { path: '^backend/src/(engine|cli)/' },
    },
    inBackend('alerting', []),
    inBackend('capture-rules', ['management']),
    inBackend('cluster', ['engine', 'enrichment', 'tables']),
    inBackend('config', []),
    inBackend('enrichment', []),
    inBackend('management', ['alerting', 'storage', 'tables']),
    inBackend('realtime', ['tables']),
    inBackend('sketch-math', []),
    inBackend('tables', []),
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(\\.test|\\.bench|index|module)\\.tsx?$' },
      to: {},
    },
    {
      name: 'not-to-dev-dep',
      severity: 'error',
      from: { path: 'src', pathNot: '\\.(test|bench)\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.depcruise.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default'] },
  },
};
