/** Who may import whom: docs/architecture.md, "Folders". */
const only = (from, allowed) => ({
  name: `${from}-imports`,
  comment: `${from} may import only ${allowed.length ? allowed.join(', ') : 'nothing of ours'}`,
  severity: 'error',
  from: { path: `^${from}/src` },
  to: { path: '^(proto|query|collector|backend|plugin)/', pathNot: `^(${[from, ...allowed].join('|')})/` },
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
      to: { path: '^backend/src/(engine|api|cli)/', pathNot: '^backend/src/engine/(rows|writer)\\.ts$' },
    },
    {
      name: 'api-knows-no-engine',
      severity: 'error',
      from: { path: '^backend/src/api' },
      to: { path: '^backend/src/(engine|cli)/' },
    },
    {
      name: 'enrichment-stands-alone',
      severity: 'error',
      from: { path: '^backend/src/enrichment', pathNot: '\\.test\\.ts$' },
      to: { path: '^backend/src/(?!enrichment|errors)' },
    },
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
