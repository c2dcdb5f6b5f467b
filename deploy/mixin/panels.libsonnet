// Panels of the dashboard: a function for each kind. A place is [x, y, width, height] on Grafana's 24 columns. A query is written
// without the variables of the dashboard: `{}` is the cluster that was chosen, `{state="up"}` those of its series.
local prometheus = { type: 'prometheus', uid: '${datasource}' };

local of_cluster(expression) = std.strReplace(
  std.strReplace(expression, '{', '{namespace=~"$namespace",job=~"$job",'), ',}', '}'
);

local target(index, expression, legend, instant) = {
  datasource: prometheus,
  refId: std.char(std.codepoint('A') + index),
  expr: of_cluster(expression),
  legendFormat: legend,
  instant: instant,
  range: !instant,
};

local panel(kind, title, place, description) = {
  type: kind,
  title: title,
  [if description != '' then 'description']: description,
  gridPos: { x: place[0], y: place[1], w: place[2], h: place[3] },
  datasource: prometheus,
  fieldConfig: { defaults: { unit: 'short' }, overrides: [] },
};

// Colours from values on: [[null, 'green'], [1, 'red']]; words in place of values: {'0': 'ok'}.
local looks(unit, colors, words, none) = {
  fieldConfig+: {
    defaults+: {
      unit: unit,
      [if none != '' then 'noValue']: none,
      [if std.length(words) > 0 then 'mappings']: [{
        type: 'value',
        options: { [value]: { text: words[value], index: std.parseInt(value) } for value in std.objectFields(words) },
      }],
    } + if std.length(colors) == 0 then {} else {
      color: { mode: 'thresholds' },
      thresholds: { mode: 'absolute', steps: [{ value: step[0], color: step[1] } for step in colors] },
    },
  },
};

local last_value = { calcs: ['lastNotNull'], fields: '', values: false };

local series(title, place, queries, description, unit, custom, whole) = panel('timeseries', title, place, description) {
  targets: std.mapWithIndex(function(i, query) target(i, query[0], query[1], false), queries),
  fieldConfig+: {
    defaults+: { unit: unit, min: 0, [if whole then 'decimals']: 0, custom: { showPoints: 'never', lineWidth: 1 } + custom },
  },
  options: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
};

{
  row(title, y): { type: 'row', title: title, collapsed: false, gridPos: { x: 0, y: y, w: 24, h: 1 }, panels: [] },

  stat(title, place, queries, description='', unit='short', colors=[], words={}, none=''):
    panel('stat', title, place, description) + looks(unit, colors, words, none) + {
      targets: std.mapWithIndex(function(i, query) target(i, query[0], query[1], true), queries),
      options: { colorMode: 'background', graphMode: 'none', justifyMode: 'center', textMode: 'auto', reduceOptions: last_value },
    },

  bargauge(title, place, queries, description='', colors=[]):
    panel('bargauge', title, place, description) + looks('short', colors, {}, '') + {
      targets: std.mapWithIndex(function(i, query) target(i, query[0], query[1], true), queries),
      fieldConfig+: { defaults+: { min: 0 } },
      options: { orientation: 'horizontal', displayMode: 'basic', reduceOptions: last_value },
    },

  timeline(title, place, queries, description='', colors=[], words={}, values='never'):
    panel('state-timeline', title, place, description) + looks('short', colors, words, '') + {
      targets: std.mapWithIndex(function(i, query) target(i, query[0], query[1], false), queries),
      fieldConfig+: { defaults+: { custom: { fillOpacity: 70, lineWidth: 0 } } },
      options: {
        showValue: values,
        mergeValues: true,
        rowHeight: 0.85,
        legend: { displayMode: 'list', placement: 'bottom', showLegend: false },
        tooltip: { mode: 'single' },
      },
    },

  // Columns in their order, or a matrix of two labels. `called` gives columns other names.
  table(title, place, queries, description='', unit='short', colors=[], columns=[], called={}, matrix=null):
    panel('table', title, place, description) + looks(unit, colors, {}, '') + {
      targets: std.mapWithIndex(function(i, query) target(i, query, '', true) { format: 'table' }, queries),
      options: { showHeader: true, cellHeight: 'sm' },
      transformations:
        if matrix != null then [{ id: 'groupingToMatrix', options: matrix }]
        else (if std.length(queries) > 1 then [{ id: 'merge', options: {} }] else []) + [{
          id: 'organize',
          options: {
            excludeByName: { Time: true } + (if std.length(queries) > 1 then {} else { Value: true }),
            renameByName: called,
            indexByName: { [columns[i]]: i for i in std.range(0, std.length(columns) - 1) },
          },
        }],
    } + if matrix == null then {} else {
      fieldConfig+: { defaults+: { custom: { cellOptions: { type: 'color-background' }, align: 'center' } } },
    },

  lines(title, place, queries, description='', unit='short'):
    series(title, place, queries, description, unit, { drawStyle: 'line', fillOpacity: 5 }, false),

  steps(title, place, queries, description=''):
    series(title, place, queries, description, 'short', { drawStyle: 'line', lineInterpolation: 'stepAfter', fillOpacity: 10 }, true),

  stacked(title, place, queries, description=''):
    series(title, place, queries, description, 'short', {
      drawStyle: 'line',
      lineInterpolation: 'stepAfter',
      fillOpacity: 60,
      stacking: { mode: 'normal', group: 'A' },
    }, true),

  bars(title, place, queries, description=''):
    series(title, place, queries, description, 'short', { drawStyle: 'bars', fillOpacity: 60, lineWidth: 0 }, true),
}
