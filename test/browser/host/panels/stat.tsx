/** Single numbers, as Grafana's stat panel draws them. */
import type { FieldDisplay, PanelProps, ReduceDataOptions } from '@grafana/data';
import { getFieldDisplayValues } from '@grafana/data';
import type { BigValueColorMode, BigValueGraphMode, BigValueTextMode } from '@grafana/ui';
import { BigValue, BigValueJustifyMode, useTheme2, VizRepeater } from '@grafana/ui';
import { VizOrientation } from '@grafana/schema';
import { isEmpty, NoData } from './no-data.js';

interface Options {
  readonly reduceOptions: ReduceDataOptions;
  readonly colorMode: BigValueColorMode;
  readonly graphMode: BigValueGraphMode;
  readonly textMode: BigValueTextMode;
}

export function StatPanel({ data, width, height, options, fieldConfig, replaceVariables, timeZone }: PanelProps) {
  const theme = useTheme2();
  if (isEmpty(data)) return <NoData fieldConfig={fieldConfig} />;
  const { reduceOptions, colorMode, graphMode, textMode } = options as Options;
  const values = getFieldDisplayValues({
    ...{ fieldConfig, reduceOptions, replaceVariables, theme, data: data.series },
    sparkline: graphMode !== 'none',
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  return (
    <VizRepeater<FieldDisplay>
      getValues={() => values}
      source={data}
      width={width}
      height={height}
      orientation={VizOrientation.Auto}
      renderCounter={0}
      renderValue={({ value, width: w, height: h, count }) => (
        <BigValue
          value={value.display}
          count={count}
          {...(value.sparkline ? { sparkline: value.sparkline } : {})}
          colorMode={colorMode}
          graphMode={graphMode}
          textMode={textMode}
          justifyMode={BigValueJustifyMode.Auto}
          theme={theme}
          width={w}
          height={h}
        />
      )}
    />
  );
}
