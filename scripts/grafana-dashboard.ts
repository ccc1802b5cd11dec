/** The Grafana dashboard of deploy/: what /ops shows, over days instead of minutes. */
import { rows, type Panel } from './grafana-panels.ts';

const panelsPerRow = 3;
const grid = { columns: 24, panelHeight: 8 };

const datasource = { type: 'prometheus', uid: '$datasource' };

const datasourceVariable = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
  current: { text: 'Prometheus', value: 'prometheus' },
};

/** One or several instances; all at first. */
const instanceVariable = {
  name: 'instance',
  label: 'Instance',
  type: 'query',
  datasource,
  query: { query: 'label_values(messenger_build_info, instance)', refId: 'instance' },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.+',
  current: { text: ['All'], value: ['$__all'] },
};

/** Limits each metric of a query to the chosen instances. */
function ofInstances(expression: string): string {
  return expression.replaceAll(
    /\b(?<metric>messenger_\w+)(?:\{(?<labels>[^}]*)\})?/gu,
    (_all, metric: string, labels = '') => `${metric}{instance=~"$instance"${labels === '' ? '' : `, ${labels}`}}`,
  );
}

/** JSON for Grafana 10 and newer, to be provisioned as a file. */
export function renderDashboard(): string {
  let y = 0;
  const panels = Object.entries(rows).flatMap(([title, ofRow]) => {
    const header = { type: 'row', title, gridPos: { x: 0, y, w: grid.columns, h: 1 } };
    const placed = ofRow.map((panel, index) => renderPanel(panel, placeOf(index, y + 1)));
    y += 1 + Math.ceil(ofRow.length / panelsPerRow) * grid.panelHeight;
    return [header, ...placed];
  });
  const dashboard = {
    uid: 'messenger',
    title: 'Messenger',
    schemaVersion: 39,
    timezone: 'browser',
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [datasourceVariable, instanceVariable] },
    panels: panels.map((panel, index) => ({ id: index + 1, ...panel })),
  };
  return `${JSON.stringify(dashboard, undefined, 2)}\n`;
}

function placeOf(index: number, y: number): object {
  const w = grid.columns / panelsPerRow;
  const h = grid.panelHeight;
  return { x: (index % panelsPerRow) * w, y: y + Math.floor(index / panelsPerRow) * h, w, h };
}

function renderPanel({ title, description, unit, queries, isStacked = false }: Panel, gridPos: object): object {
  const custom = { fillOpacity: isStacked ? 30 : 8, stacking: { mode: isStacked ? 'normal' : 'none' } };
  return {
    type: 'timeseries',
    title,
    description,
    gridPos,
    datasource,
    fieldConfig: { defaults: { unit, min: 0, custom }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(([legendFormat, expr], index) => ({
      refId: 'ABCDEFGH'[index],
      expr: ofInstances(expr),
      legendFormat,
    })),
  };
}
