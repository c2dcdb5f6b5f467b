// Clusters that do not exist, for looking at the page and for its tests: what /api/v1 would answer of them.

export function cluster({size = 5, groups = null, states = {}, missing = [], suspected = [], oneWay = [], quarantined = [], cause = null, status = {}, hidden = [], unlisted = [],
  mesh = () => null, name = i => 'app@app-' + i + '.app.default.svc.cluster.local'} = {}) {
  const now = Date.now();
  const parts = groups ?? [Array.from({length: size}, (_, i) => i)];
  const partitionOf = new Map(parts.flatMap((part, number) => part.map(i => [i, number])));
  const index = Array.from({length: size}, (_, i) => i);
  const state = i => states[i] ?? 'up';
  const reached = i => ['up', 'leaving'].includes(state(i));
  const special = new Map();
  for (const [list, kind] of [[missing, 'missing'], [suspected, 'suspected'], [oneWay, 'one_way'], [quarantined, 'quarantined']]) {
    for (const [a, b] of list) special.set(Math.min(a, b) + ' ' + Math.max(a, b), kind);
  }
  const pairs = [];
  for (let a = 0; a < size; ++a) for (let b = a + 1; b < size; ++b) {
    if (!reached(a) || !reached(b)) continue;
    const kind = special.get(a + ' ' + b) ?? (partitionOf.get(a) === partitionOf.get(b) || mesh(a) !== mesh(b) ? null : 'missing');
    if (kind) pairs.push([a, b, kind]);
  }
  const kindOf = new Map(pairs.map(([a, b, kind]) => [a + ' ' + b, kind]));
  const sees = (a, b) => {
    const kind = kindOf.get(Math.min(a, b) + ' ' + Math.max(a, b));
    return mesh(a) !== mesh(b) ? false : kind === undefined ? reached(b) : kind === 'suspected' || (kind === 'one_way' && a < b);
  };
  const members = index.map(i => ({node: name(i), state: state(i), reason: state(i) === 'down' ? 'timeout' : null, since_at: now - 60000 * (i + 1), listed: true,
    visible: reached(i) ? index.filter(j => j !== i && sees(i, j)).length : 0, missing: pairs.filter(p => p[0] === i || p[1] === i).length,
    partition: reached(i) ? partitionOf.get(i) ?? null : null, creation: 1700000000 + i, otp_release: '27', kept_out: false}));
  const names = [...new Set(index.map(mesh))].filter(each => each !== null);
  const meshes = names.map(each => ({mesh: each, listed: index.filter(i => mesh(i) === each).length,
    up: index.filter(i => mesh(i) === each && state(i) === 'up').length, partitions: parts.filter(part => mesh(part[0]) === each).length,
    links_missing: pairs.filter(([a]) => mesh(a) === each).length}));
  const most = meshes.length > 0 ? Math.max(...meshes.map(each => each.partitions)) : parts.length;
  const split = most > 1;
  const netsplits = split || cause ? [{id: 1, type: split ? 'full' : 'partial', opened_at: now - 90000, closed_at: null, ended: 'open', duration_ms: 90000,
    groups: parts.map(part => part.map(name)), pairs: pairs.slice(0, 64).map(([a, b]) => [name(a), name(b)]), pairs_broken: pairs.length,
    cause: cause ? {from: name(cause[0]), to: name(cause[1]), reason: 'probe', path: 'timeout', at: now - 90000} : null, actions: []}] : [];
  const up = members.filter(m => m.state === 'up').length;
  const counts = Object.fromEntries(['joining', 'up', 'suspect', 'leaving', 'down', 'left'].map(s => [s, members.filter(m => m.state === s).length]));
  const details = split ? [{name: 'netsplit', severity: 'error', text: 'the members are in ' + parts.length + ' partitions'}] : [];
  const picture = {at: now, hidden, unlisted, members: members.map(({node, state, reason, partition}, i) => ({node, state, reason, partition, ...(mesh(i) ? {mesh: mesh(i)} : {})})), pairs: pairs.slice(0, 4000),
    pairs_omitted: Math.max(0, pairs.length - 4000),
    views: size <= 300 ? index.map(i => reached(i) ? index.map(j => i === j ? '-' : sees(i, j) ? '1' : '0').join('') : null) : null};
  return {
    status: {health: split ? 'error' : up < size ? 'warning' : 'ok', details, expected: size, listed: size, up, members: counts, partitions: most, meshes,
      links_missing: pairs.length, netsplit: split, quarantine: [], isolated: false, starting: false, standing_by: false, unlisted: [], at: now, ...status},
    members, picture, netsplits,
    discovery: [{source: 'srv:app@app', outcome: 'ok', detail: '', records: size}],
    events: members.slice(0, 20).map((m, i) => ({id: i + 1, at: now - 60000 * (20 - i), type: 'member_up', node: m.node, text: m.node + ' is up'})),
    history: {since_at: now - 3600000 * 5, restored: false, frames: [now - 7200000], marks: [{kind: 'own', at: now - 3600000 * 5, text: 'Rollcall started'},
      {kind: 'join', at: now - 3600000 * 4, text: 'app-3 joined'}, {kind: 'restart', at: now - 3600000 * 2, text: 'app-1 restarted'},
      {kind: 'down', at: now - 3600000, text: 'app-2 is down'}, {kind: 'netsplit', at: now - 5400000, until: now - 4000000, text: 'netsplit 1 (full)'}]},
    why: {node: name(0), state: 'up', reason: null, stuck_at: null, text: name(0) + ' is in the mesh', steps: [{step: 'listed', ok: true, text: null},
      {step: 'dns', ok: true, text: null}, {step: 'mesh', ok: true, text: null}]},
  };
}
