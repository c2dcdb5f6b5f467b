// The files of the repository that are made from the mixin, by their paths in deploy/. Made by ./dev mixin:
//   jsonnet --multi deploy --string deploy/mixin/files.jsonnet
local mixin = import 'mixin.libsonnet';
local yaml(value) = std.manifestYamlDoc(value, indent_array_in_object=true, quote_keys=false);
local sections = (import 'alerts.libsonnet')('docs/runbook.md').groups[0].rules;
local made = '# Made from deploy/mixin by ./dev mixin: change it there.\n';
local rules = made + |||
  # Alerts on what Rollcall publishes. Prometheus 2.42 or later (keep_firing_for: a Rollcall that restarts, or a split that comes and
  # goes, does not wake anybody twice). Links to the runbook: deploy/overlays/runbook, or runbookURL of the mixin. Tested by:
  #   promtool test rules deploy/alerts/rollcall.test.yaml
||| + yaml(mixin.prometheusAlerts);

{
  'alerts/rollcall.rules.yaml': rules,
  'chart/rollcall/rollcall.rules.yaml': rules,
  'overlays/operator/prometheusrule.yaml': made + yaml({
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'rollcall' },
    spec: mixin.prometheusAlerts,
  }),
  'overlays/runbook/links.yaml': made + yaml([
    { op: 'add', path: '/spec/groups/0/rules/%d/annotations/runbook_url' % i, value: sections[i].annotations.runbook_url }
    for i in std.range(0, std.length(sections) - 1)
  ]),
  'grafana/rollcall.json': std.manifestJsonEx(mixin.grafanaDashboards['rollcall.json'], ' '),
}
