/** A bar for each value, as Grafana's bar gauge draws them. */
import type { FieldDisplay, PanelProps, ReduceDataOptions } from '@grafana/data';
import { getFieldDisplayValues } from '@grafana/data';
import type {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BarGaugeValueMode,
  VizTextDisplayOptions,
} from '@grafana/schema';
import { VizOrientation } from '@grafana/schema';
import { BarGauge, useTheme2, VizRepeater } from '@grafana/ui';
import { isEmpty, NoData } from './no-data.js';

interface Options {
  readonly reduceOptions: ReduceDataOptions;
  readonly displayMode: BarGaugeDisplayMode;
  readonly text: VizTextDisplayOptions;
  readonly namePlacement: BarGaugeNamePlacement;
  readonly valueMode: BarGaugeValueMode;
  readonly minVizHeight: number;
  readonly maxVizHeight: number;
}

export function BarGaugePanel({ data, width, height, options, fieldConfig, replaceVariables }: PanelProps) {
  const theme = useTheme2();
  if (isEmpty(data)) return <NoData fieldConfig={fieldConfig} />;
  const { reduceOptions, displayMode, text, namePlacement, valueMode, minVizHeight, maxVizHeight } = options as Options;
  const values = getFieldDisplayValues({ fieldConfig, reduceOptions, replaceVariables, theme, data: data.series });
  return (
    <VizRepeater<FieldDisplay>
      getValues={() => values}
      source={data}
      width={width}
      height={height}
      minVizHeight={minVizHeight}
      maxVizHeight={maxVizHeight}
      itemSpacing={10}
      orientation={VizOrientation.Horizontal}
      renderCounter={0}
      renderValue={({ value, width: w, height: h }) => (
        <BarGauge
          value={value.display}
          field={value.field}
          display={value.view!.getFieldDisplayProcessor(value.colIndex!)!}
          theme={theme}
          width={w}
          height={h}
          orientation={VizOrientation.Horizontal}
          displayMode={displayMode}
          namePlacement={namePlacement}
          valueDisplayMode={valueMode}
          showUnfilled
          text={text}
        />
      )}
    />
  );
}
