import type { PanelProps } from '@grafana/data';
import { LegendDisplayMode, TimeSeries, TooltipDisplayMode, TooltipPlugin } from '@grafana/ui';
import { isEmpty, NoData } from './no-data.js';

export function TimeSeriesPanel({ data, width, height, timeRange, timeZone }: PanelProps) {
  if (isEmpty(data)) return <NoData />;
  return (
    <TimeSeries
      frames={data.series}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={{ showLegend: true, displayMode: LegendDisplayMode.List, placement: 'bottom', calcs: [] }}
    >
      {(config, aligned) => (
        <TooltipPlugin
          config={config}
          data={aligned}
          frames={data.series}
          mode={TooltipDisplayMode.Multi}
          timeZone={timeZone}
        />
      )}
    </TimeSeries>
  );
}
