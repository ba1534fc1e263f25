/**
 * A dashboard as a table of panels, and Grafana's JSON of it. Panels flow from left to right, a row of them below each heading. In PromQL
 * `SELF` stands for what selects the chosen job and instances; SQL is the ClickHouse data source's, with its macros.
 */

/** How a panel shows its numbers. */
type PanelKind = 'timeseries' | 'stat' | 'table' | 'bargauge' | 'heatmap'

interface PromTarget {
  readonly expr: string
  readonly legend: string
}

interface SqlTarget {
  readonly sql: string
}

/** PromQL, or SQL where it begins with a key `sql`. */
export type Target = PromTarget | SqlTarget

export interface Panel {
  readonly title: string
  /** What it shows, and what is good. */
  readonly description: string
  /** An id of Grafana's units. */
  readonly unit: string
  readonly kind: PanelKind
  readonly targets: readonly Target[]
  /** Of 24. */
  readonly width: number
  /** From where on the value is a warning, and bad; the other way round when they fall. */
  readonly bounds?: readonly [warning: number, bad: number]
  /** Units of columns that have another one, for tables. */
  readonly columns?: Readonly<Record<string, string>>
}

interface PanelRow {
  readonly title: string
  readonly panels: readonly Panel[]
}

export interface Dashboard {
  /** File name without its end, and Grafana's uid. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly from: string
  readonly rows: readonly PanelRow[]
}

/** Inside the braces of every selector of a dashboard. */
export const SELF = 'namespace=~"$namespace",job=~"$job",instance=~"$instance"'

/** Inside those of series that rules record, which are of no instance. */
export const RECORDED_SELF = 'namespace=~"$namespace",job=~"$job"'

/** Whether it is SQL. */
export function isSql(target: Target): target is SqlTarget {
  return 'sql' in target
}

const PROMETHEUS = { type: 'prometheus', uid: `\${datasource}` }
const CLICKHOUSE = { type: 'grafana-clickhouse-datasource', uid: `\${clickhouse}` }
const PANEL_HEIGHT = 8
const STAT_HEIGHT = 4
/** Formats of the ClickHouse data source. */
const AS_SERIES = { format: 0, queryType: 'timeseries' }
const AS_TABLE = { format: 1, queryType: 'table' }

function variable(name: string, label: string, query: string, more: object): object {
  return { name, label, type: 'query', query, refresh: 2, sort: 1, ...more }
}

function sourceVariable(name: string, label: string, type: string): object {
  return { name, label, type: 'datasource', query: type, refresh: 1, hide: 0, multi: false, includeAll: false }
}

function variables(sql: boolean): object[] {
  const prometheus = { datasource: PROMETHEUS, multi: false, includeAll: false }
  const every = { datasource: PROMETHEUS, multi: true, includeAll: true, allValue: '.+', current: { text: 'All', value: '$__all' } }
  return [
    sourceVariable('datasource', 'Prometheus', 'prometheus'),
    variable('namespace', 'Namespace', 'label_values(ctr_ready, namespace)', { ...every, allValue: '.*' }),
    variable('job', 'Job', 'label_values(ctr_ready{namespace=~"$namespace"}, job)', prometheus),
    variable('instance', 'Process', 'label_values(ctr_ready{namespace=~"$namespace",job=~"$job"}, instance)', every),
    ...(sql
      ? [
          sourceVariable('clickhouse', 'ClickHouse', 'grafana-clickhouse-datasource'),
          variable('tenant', 'Tenant', 'SELECT DISTINCT tenant FROM ctr_totals_daily', {
            datasource: CLICKHOUSE,
            multi: false,
            includeAll: false,
          }),
        ]
      : []),
  ]
}

function target(given: Target, index: number, kind: PanelKind): object {
  const refId = String.fromCharCode(65 + index)
  if (isSql(given)) {
    const as = kind === 'timeseries' ? AS_SERIES : AS_TABLE
    return { refId, datasource: CLICKHOUSE, editorType: 'sql', rawSql: given.sql, ...as }
  }
  const once = kind === 'table' || kind === 'bargauge'
  const how = { range: !once, instant: once, format: kind === 'heatmap' ? 'heatmap' : once ? 'table' : 'time_series' }
  return { refId, datasource: PROMETHEUS, editorMode: 'code', expr: given.expr, legendFormat: given.legend, ...how }
}

function thresholds(bounds: Panel['bounds']): object {
  if (bounds === undefined) return { mode: 'absolute', steps: [{ color: 'text', value: null }] }
  const [warning, bad] = bounds
  const falling = bad < warning
  const steps = falling
    ? [
        { color: 'red', value: null },
        { color: 'orange', value: bad },
        { color: 'green', value: warning },
      ]
    : [
        { color: 'green', value: null },
        { color: 'orange', value: warning },
        { color: 'red', value: bad },
      ]
  return { mode: 'absolute', steps }
}

function panelOptions(kind: PanelKind): object {
  if (kind === 'stat') return { reduceOptions: { calcs: ['lastNotNull'], values: false }, colorMode: 'value', graphMode: 'area' }
  if (kind === 'timeseries') return { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } }
  if (kind === 'bargauge')
    return { reduceOptions: { calcs: ['lastNotNull'], values: true }, orientation: 'horizontal', displayMode: 'basic' }
  return {}
}

function panelJson(panel: Panel, place: object, id: number): object {
  const { title, description, unit, kind, targets, bounds, columns = {} } = panel
  const overrides = Object.entries(columns).map(([name, other]) => ({
    matcher: { id: 'byName', options: name },
    properties: [{ id: 'unit', value: other }],
  }))
  return {
    id,
    type: kind,
    title,
    description,
    datasource: targets.some(isSql) ? CLICKHOUSE : PROMETHEUS,
    gridPos: place,
    fieldConfig: { defaults: { unit, thresholds: thresholds(bounds) }, overrides },
    options: panelOptions(kind),
    targets: targets.map((each, index) => target(each, index, kind)),
  }
}

/** Grafana's JSON: what is imported, provisioned, or put into a ConfigMap. */
export function grafanaJson({ uid, title, description, from, rows }: Dashboard): object {
  const panels: object[] = []
  let y = 0
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { h: 1, w: 24, x: 0, y: y++ },
      panels: [],
    })
    let x = 0
    let height = 0
    for (const panel of row.panels) {
      if (x + panel.width > 24) {
        y += height
        x = 0
        height = 0
      }
      const h = panel.kind === 'stat' ? STAT_HEIGHT : PANEL_HEIGHT
      panels.push(panelJson(panel, { h, w: panel.width, x, y }, panels.length + 1))
      x += panel.width
      height = Math.max(height, h)
    }
    y += height
  }
  const sql = rows.some((row) => row.panels.some(({ targets }) => targets.some(isSql)))
  return {
    uid,
    title,
    description,
    tags: ['ctr'],
    schemaVersion: 39,
    version: 1,
    editable: false,
    graphTooltip: 1,
    timezone: 'utc',
    refresh: '30s',
    time: { from, to: 'now' },
    templating: { list: variables(sql) },
    annotations: {
      list: [
        {
          name: 'Starts',
          datasource: PROMETHEUS,
          enable: true,
          iconColor: 'blue',
          expr: `changes(process_start_time_seconds{${SELF}}[$__rate_interval]) > 0`,
          titleFormat: 'start of {{instance}}',
        },
      ],
    },
    links: [{ title: 'More of ctr', type: 'dashboards', tags: ['ctr'], asDropdown: true, includeVars: true, keepTime: true }],
    panels,
  }
}
