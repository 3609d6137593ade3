/** What Grafana's panels say when there is nothing to draw. */
import type { PanelData, PanelProps } from '@grafana/data';

export const isEmpty = ({ series }: PanelData): boolean => series.every((frame) => frame.length === 0);

export function NoData({ fieldConfig }: Pick<PanelProps, 'fieldConfig'>) {
  return (
    <div style={{ display: 'grid', placeItems: 'center', height: '100%' }}>
      {fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}
