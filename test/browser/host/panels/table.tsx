import type { PanelProps } from '@grafana/data';
import { cacheFieldDisplayNames } from '@grafana/data';
import { TableNG } from '@grafana/ui/unstable';
import { isEmpty, NoData } from './no-data.js';

export function TablePanel({ data, width, height, fieldConfig, timeRange, title, options }: PanelProps) {
  const [frame] = data.series;
  if (!frame || isEmpty(data)) return <NoData fieldConfig={fieldConfig} />;
  const { enablePagination = false } = options as { readonly enablePagination?: boolean };
  cacheFieldDisplayNames(data.series);
  return (
    <TableNG
      ariaLabel={title}
      data={frame}
      width={width}
      height={height}
      fieldConfig={fieldConfig}
      timeRange={timeRange}
      enablePagination={enablePagination}
    />
  );
}
