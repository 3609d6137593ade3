import type { PanelProps } from '@grafana/data';
import type { VizLegendOptions } from '@grafana/schema';
import { LegendDisplayMode, TimeSeries, TooltipDisplayMode, TooltipPlugin } from '@grafana/ui';
import { isEmpty, NoData } from './no-data.js';

const plainLegend: VizLegendOptions = {
  ...{ showLegend: true, displayMode: LegendDisplayMode.List, placement: 'bottom', calcs: [] },
};

export function TimeSeriesPanel({ data, width, height, timeRange, timeZone, options, fieldConfig }: PanelProps) {
  if (isEmpty(data)) return <NoData fieldConfig={fieldConfig} />;
  const legend = { ...plainLegend, ...(options as { readonly legend?: VizLegendOptions }).legend };
  return (
    <TimeSeries
      frames={data.series}
      timeRange={timeRange}
      timeZone={timeZone}
      width={width}
      height={height}
      legend={legend}
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
