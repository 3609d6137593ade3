/** Nodes and edges as Grafana's node graph gets them, drawn on a circle: enough to see that they belong together. */
import type { DataFrame, PanelProps } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { isEmpty, NoData } from './no-data.js';

const values = (frame: DataFrame | undefined, name: string): readonly unknown[] =>
  frame?.fields.find((field) => field.name === name)?.values ?? [];

export function NodeGraphPanel({ data, width, height, title, fieldConfig }: PanelProps) {
  const theme = useTheme2();
  const named = (name: string): DataFrame | undefined =>
    data.series.find((frame) => frame.name === name || frame.fields.some((field) => field.name === name));
  const edges = named('source') ?? named('edges');
  const nodes = data.series.find((frame) => frame !== edges);
  if (isEmpty(data) || !nodes) return <NoData fieldConfig={fieldConfig} />;
  const ids = values(nodes, 'id').map(String);
  const titles = values(nodes, 'title').map(String);
  const radius = Math.min(width, height) / 2 - 60;
  const places = new Map(
    ids.map((id, i) => {
      const angle = (2 * Math.PI * i) / ids.length;
      return [id, { x: width / 2 + radius * Math.cos(angle) * 1.4, y: height / 2 + radius * Math.sin(angle) }] as const;
    }),
  );
  const targets = values(edges, 'target').map(String);
  return (
    <svg width={width} height={height} role="img" aria-label={`${title}: ${ids.length} nodes`}>
      {values(edges, 'source').map((source, i) => {
        const [a, b] = [places.get(String(source)), places.get(targets[i] ?? '')];
        if (!a || !b) return null;
        return <line key={i} x1={a.x} y1={a.y} x2={b.x} y2={b.y} stroke={theme.colors.border.strong} />;
      })}
      {ids.map((id, i) => {
        const { x, y } = places.get(id) ?? { x: 0, y: 0 };
        return (
          <g key={id}>
            <circle cx={x} cy={y} r={8} fill={theme.visualization.getColorByName('blue')} />
            <text x={x} y={y + 22} textAnchor="middle" fontSize={11} fill={theme.colors.text.primary}>
              {titles[i] ?? id}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
