// The alerts. `critical` wakes somebody, `warning` is looked at within the day, `info` is for people who are looking already.
// Texts name the namespace and the numbers at that moment, and say the first step, since a link may lead nowhere.
local apart = 'instance, pod, container, endpoint, node, pod_template_hash';

// One series for each installation, whatever pod it comes from.
local each(metric, aggregate='max', more='') = '%s without (%s) (%s)' % [aggregate, apart + more, metric];
local condition(name) = each('erlang_cluster_health_detail{name="%s"}' % name, more=', severity') + ' == 1';

// In a text: what Prometheus knows of the installation that the alert is about. Nothing is said of what it does not know.
local asked(expression, text) =
  '{{ with printf `%s` $labels.namespace $labels.job | query }}%s{{ end }}' % [expression, text];
local of(metric, more='') = metric + "{namespace='%s',job='%s'" + more + '}';
local number(metric, more='') = asked('max(%s)' % of(metric, more), '{{ . | first | value }}');
// A query's answer has no order of its own: sorted, so that a text does not change from one evaluation to the next.
local list(expression, by, before, text) =
  asked(expression, before + '{{ range $i, $one := . | sortByLabel `' + by + '` }}{{ if $i }}, {{ end }}' + text + '{{ end }}. ');
local counted(metric, more='', what='') = asked('max(%s) > 0' % of(metric, more), ' ({{ . | first | value }}' + what + ')');

local here = '{{ with $labels.namespace }} in {{ . }}{{ end }}';
local up_of_expected = asked(
  'max(%s)' % of('erlang_cluster_expected_members'),
  number('erlang_cluster_members', ",state='up'") + ' of {{ . | first | value }} expected members are up. '
);
local first_broken_pair = list(
  'max by (from, to, reason) (%s) == 1' % of('erlang_cluster_netsplit_cause_info'),
  'from',
  'First broken pair: ',
  '{{ $one.Labels.from }} - {{ $one.Labels.to }} ({{ $one.Labels.reason }})'
);
local who(more='') = list(
  'topk(5, max by (member, reason) (%s))' % of('erlang_cluster_member_problem', more),
  'member',
  '',
  '{{ $one.Labels.member }} ({{ $one.Labels.reason }})'
);

local alert(name, severity, wait, expression, summary, description, keep='') = {
  alert: name,
  expr: expression,
  'for': wait,
  [if keep != '' then 'keep_firing_for']: keep,
  labels: { severity: severity },
  annotations: { summary: summary, description: description },
};

local rules = [
  alert(
    'RollcallNetsplit',
    'critical',
    '1m',
    each('erlang_cluster_netsplit_active', more=', type') + ' == 1',
    'The Erlang cluster' + here + ' is split' +
    asked('max(%s) > 1' % of('erlang_cluster_partitions'), ' into {{ . | first | value }} partitions') + '.',
    up_of_expected + first_broken_pair +
    'First step: `rollcall netsplits` shows the groups, and which pair broke first. Restart no nodes; decide which side goes on if your data has one writer.',
    keep='5m'
  ),
  alert(
    'RollcallPossibleSplit',
    'critical',
    '2m',
    condition('possible_split'),
    'A third or more of the expected members' + here + ' fell silent at once.',
    up_of_expected +
    'The others are still listed, and nobody that Rollcall reaches hears of them: a zone that is gone, or a split with Rollcall on one side. First step: `rollcall members`, then ask from the other side whether they run.',
    keep='5m'
  ),
  alert(
    'RollcallNothingDiscovered',
    'critical',
    '5m',
    condition('nothing_discovered'),
    'Rollcall' + here + ' finds no node: no source lists any.',
    'New nodes are not found and not connected. First step: `rollcall doctor`. Usually the service has another name, no named port or no pods, or is not headless.'
  ),
  alert(
    'RollcallAbsent',
    'critical',
    '5m',
    ('group without (%(all)s) (last_over_time(rollcall_build_info[1d])) unless group without (%(all)s) (rollcall_build_info)' +
     ' or absent(rollcall_build_info) unless on () last_over_time(rollcall_build_info[1d])') % { all: apart + ', version, revision, otp_ei' },
    'No Rollcall' + here + ' is scraped.',
    'It does not run, or Prometheus does not reach it. A netsplit goes unnoticed meanwhile, and the alert of one that was open has ended. First step: `kubectl get pods -l app.kubernetes.io/name=rollcall`, then the page Targets of Prometheus.'
  ),
  alert(
    'RollcallStandby',
    'critical',
    '2m',
    each('rollcall_standby', 'min') + ' == 1',
    'The Rollcall that is scraped' + here + ' stands by for another one: nothing is watched.',
    'A newer Rollcall of the same name is at work where Prometheus does not scrape it. A netsplit goes unnoticed. First step: `kubectl get pods -A -l app.kubernetes.io/name=rollcall`; stop the one that should not run.'
  ),
  alert(
    'RollcallIsolated',
    'warning',
    '2m',
    each('rollcall_isolated') + ' == 1',
    'Rollcall' + here + ' reaches none of the listed members.',
    'Rollcall may be cut off (network policy, its machine), or the whole cluster is gone. It reports no netsplit until it reaches a member. First step: `rollcall doctor` names the step that fails.'
  ),
  alert(
    'RollcallMembersMissing',
    'warning',
    '10m',
    condition('members_missing'),
    'Members of the Erlang cluster' + here + ' are missing.',
    up_of_expected + who() + 'First step: `rollcall members` for the reasons, `rollcall doctor` for the step that fails.'
  ),
  alert(
    'RollcallLinksMissing',
    'warning',
    '5m',
    condition('links_missing'),
    'Members' + here + ' that are up are not connected to each other' + counted('erlang_cluster_links_missing', what=' links missing') + '.',
    'They cannot connect, or connecting them would tear other links. First step: `rollcall status` names the pairs and those in quarantine.'
  ),
  alert(
    'RollcallDiscoveryStale',
    'warning',
    '5m',
    condition('discovery_stale'),
    'A source of nodes' + here + ' gives no good answer.',
    asked(
      'topk(1, time() - (max by (source) (%s) > 0))' % of('rollcall_discovery_last_success_timestamp_seconds'),
      '{{ (. | first).Labels.source }} gave its last good answer {{ . | first | value | humanizeDuration }} ago. '
    ) + 'That answer stays in force; new nodes are not found meanwhile. First step: `rollcall doctor`, then the cluster DNS.'
  ),
  alert(
    'RollcallMemberFlapping',
    'warning',
    '0m',
    each('increase(erlang_cluster_member_failures_total[1h]) + increase(erlang_cluster_member_restarts_total[1h])', 'sum') + ' >= 5',
    '{{ $labels.member }}' + here + ' failed or restarted {{ $value | printf "%.0f" }} times within an hour.',
    'First step: `kubectl get pods` for restarts and their reason, `kubectl logs --previous`; failures without restarts are the network of its machine.'
  ),
  alert(
    'RollcallCookieRefused',
    'warning',
    '5m',
    condition('cookie_refused'),
    'Members' + here + ' refuse the cookie' + counted('erlang_cluster_members_by_problem', ",reason='cookie'") + '.',
    who(",reason='cookie'") +
    'Rollcall has no link to them, and members whose cookies differ have none to each other. First step: compare the Secret that the pods were started with and the one that Rollcall reads.'
  ),
  alert(
    'RollcallNameMismatch',
    'warning',
    '5m',
    condition('name_mismatch'),
    'A node' + here + ' answers under another name than discovery lists.',
    who(",reason='name_mismatch'") +
    'No other node can reach it under the listed name. First step: `rollcall doctor` has both names; RELEASE_NODE and RELEASE_DISTRIBUTION=name decide.'
  ),
  alert(
    'RollcallNetsplitHealed',
    'warning',
    '0m',
    each('max_over_time(erlang_cluster_netsplit_last_end_timestamp_seconds[1h]) > 0') +
    ' > time() - 3600 unless on (namespace, job) max by (namespace, job) (erlang_cluster_netsplit_active) == 1',
    'A netsplit' + here + ' is over: check your data.',
    'The members are connected again; what was written on both sides meanwhile is not reconciled by that. First step: `rollcall netsplits` for groups and times, then Mnesia, :global names and jobs that run once.'
  ),
  alert(
    'RollcallStale',
    'warning',
    '2m',
    'time() - ' + each('rollcall_last_round_timestamp_seconds') + ' > 120 + 3 * ' + each('rollcall_interval_seconds'),
    'Rollcall' + here + ' has not ended a round for {{ $value | humanizeDuration }}.',
    'What its metrics say is old. First step: keep `/readyz` and its log, then restart it; that costs the nodes nothing.'
  ),
  alert(
    'RollcallConfigDrift',
    'info',
    '30m',
    condition('config_drift'),
    'Members' + here + ' differ in settings that decide how they form a mesh.',
    'prevent_overlapping_partitions, connect_all, net_ticktime or the kind of name are not the same everywhere. First step: `rollcall status` names the setting; finish the roll-out.'
  ),
  alert(
    'RollcallTwice',
    'info',
    '10m',
    each('rollcall_build_info', 'count', ', version, revision, otp_ei') + ' > 1 unless ' + each('rollcall_standby', 'min') + ' == 1',
    '{{ $value }} Rollcalls' + here + ' run where one should.',
    'Under one name the newer one works and the older one stands by. First step: set `replicas` to 1, or stop one.'
  ),
];

// With an address of the runbook (Rollcall serves it at /runbook), each alert leads to its section.
function(runbook='') {
  groups: [{
    name: 'rollcall',
    rules: [
      rule + (if runbook == '' then {} else { annotations+: { runbook_url: runbook + '#' + std.asciiLower(rule.alert) } })
      for rule in rules
    ],
  }],
}
