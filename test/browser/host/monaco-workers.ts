/** Where Monaco's workers are: bundles beside the page's. */
const workerOf = (label: string): string => (label === 'json' ? 'json.worker' : 'editor.worker');

(window as unknown as { MonacoEnvironment: object }).MonacoEnvironment = {
  getWorkerUrl: (_id: string, label: string) => `/public/host/${workerOf(label)}.js`,
};
