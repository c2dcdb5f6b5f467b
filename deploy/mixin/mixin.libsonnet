// For those who keep dashboards and alerts in jsonnet (https://monitoring.mixins.dev):
//   (import 'rollcall/deploy/mixin/mixin.libsonnet') + { _config+:: { runbookURL: 'https://rollcall.example/runbook' } }
{
  _config+:: { runbookURL: '' },
  prometheusAlerts+:: (import 'alerts.libsonnet')($._config.runbookURL),
  grafanaDashboards+:: { 'rollcall.json': import 'dashboard.libsonnet' },
}
