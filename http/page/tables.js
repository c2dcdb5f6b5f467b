// Numbers, conditions, members, netsplits, discovery and events: text and tables, changed in place.
import {ago, at, clock, counted, day, keyed, known, make, mark, say, shown, some, span} from './elements.js';
import {naturalOrder} from './names.js';

const tableMost = 1000;
const memberStates = ['up', 'joining', 'suspect', 'leaving', 'down', 'left'];
// What needs a look comes first.
const urgency = {down: 0, suspect: 1, joining: 2, leaving: 3, up: 4, left: 5};

export function showNumbers(status) {
  // One that stands by knows no numbers: nought would be a statement about the cluster.
  const idle = status.standing_by === true, count = state => status.members?.[state] ?? 0;
  const items = [
    ['up', idle ? null : shown(status.up) + ' / ' + shown(status.expected), 'members up, of those expected', status.up < status.expected ? 'warning' : ''],
    ['partitions', status.partitions, 'partitions', status.partitions > 1 ? 'error' : ''],
    ['missing', status.links_missing, 'links missing', status.links_missing > 0 ? 'error' : ''],
    ['suspect', count('suspect'), 'suspect', count('suspect') > 0 ? 'warning' : ''],
    ['down', count('down'), 'down', count('down') > 0 ? 'error' : ''],
  ];
  // Clusters that are kept apart, side by side.
  for (const mesh of Array.isArray(status.meshes) ? status.meshes : []) {
    items.push(['mesh ' + mesh.mesh, shown(mesh.up) + ' / ' + shown(mesh.listed), 'up in ' + (mesh.mesh ?? 'no mesh of a name') + ', ' + counted(mesh.partitions, 'partition'),
      mesh.partitions > 1 || mesh.links_missing > 0 ? 'error' : mesh.up < mesh.listed ? 'warning' : '']);
  }
  keyed(at('numbers'), items, item => item[0], () => {
    const card = make('div');
    card.append(make('b'), make('span'));
    return card;
  }, (card, [, value, label, className]) => {
    say(card.children[0], shown(idle ? null : value));
    mark(card.children[0], className);
    say(card.children[1], label);
  });
}

// Conditions that have an alert, and so a section of the runbook.
const inRunbook = new Set(['netsplit', 'possible_split', 'nothing_discovered', 'isolated', 'members_missing', 'links_missing',
  'discovery_stale', 'cookie_refused', 'name_mismatch', 'config_drift']);

function runbookLink(name) {
  const link = make('a', 'what to do');
  link.href = `runbook#rollcall${name.replaceAll('_', '')}`;
  link.setAttribute('aria-label', `what to do: ${name.replaceAll('_', ' ')}`);
  return link;
}

export function showDetails(status, short) {
  const details = Array.isArray(status.details) ? status.details : [];
  at('details-card').hidden = details.length === 0;
  keyed(at('details'), details, detail => detail.name, detail => {
    const item = make('li');
    item.append(make('b'), make('span'));
    if (inRunbook.has(detail.name)) item.append(' ', runbookLink(detail.name));
    return item;
  }, (item, detail) => {
    mark(item, known(detail.severity, ['warning', 'error'], 'warning'));
    say(item.children[0], detail.name.replaceAll('_', ' '));
    say(item.children[1], short(detail.text));
  });
}

const columns = [
  {key: 'node', text: 'node', order: (a, b) => naturalOrder(a.node, b.node)},
  {key: 'state', text: 'state', order: (a, b) => (urgency[a.state] ?? 6) - (urgency[b.state] ?? 6)},
  {key: 'since', text: 'since', order: (a, b) => b.since_at - a.since_at},
  {key: 'visible', text: 'sees', number: true, order: (a, b) => a.visible - b.visible},
  {key: 'missing', text: 'missing', number: true, order: (a, b) => a.missing - b.missing},
  {key: 'partition', text: 'partition', number: true, order: (a, b) => (a.partition ?? 1e9) - (b.partition ?? 1e9)},
  {key: 'otp', text: 'otp', number: true, optional: true, order: (a, b) => naturalOrder(String(a.otp_release ?? ''), String(b.otp_release ?? ''))},
];
let sorted = null, backwards = false;
const chosenStates = new Set();

// A member that left is of no interest after ten minutes, unless it is searched for or its state is chosen.
const goneForLong = member => member.state === 'left' && Date.now() - member.since_at > 600_000;

export const filter = {
  text: '',
  matches: member => member.node.toLowerCase().includes(filter.text) &&
    (chosenStates.size > 0 ? chosenStates.has(member.state) : filter.text !== '' || !goneForLong(member)),
};

// changed: what to do when another order, search or state is chosen.
export function prepareMembers(changed) {
  at('members-head').replaceChildren(...columns.map(column => {
    const head = make('th', null, (column.number ? 'number' : '') + (column.optional ? ' optional' : ''));
    head.scope = 'col';
    const button = make('button', column.text);
    button.type = 'button';
    button.addEventListener('click', () => {
      backwards = sorted === column && !backwards;
      sorted = column;
      for (const other of at('members-head').children) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', backwards ? 'descending' : 'ascending');
      changed();
    });
    head.append(button);
    return head;
  }));
  at('states').replaceChildren(...memberStates.map(state => {
    const label = make('label'), box = make('input');
    box.type = 'checkbox';
    box.value = state;
    box.addEventListener('change', () => {
      box.checked ? chosenStates.add(state) : chosenStates.delete(state);
      changed();
    });
    label.append(box, ' ' + state);
    return label;
  }));
  at('search').addEventListener('input', () => {
    filter.text = at('search').value.trim().toLowerCase();
    changed();
  });
  at('filter').addEventListener('submit', event => event.preventDefault());
}

function createRow() {
  const row = make('tr'), name = make('td', null, 'name'), state = make('td');
  name.append(make('a'), make('span', null, 'soft'));
  state.append(make('span'), make('span', null, 'soft'));
  row.append(name, state, make('td', null, 'soft'), make('td', null, 'number'), make('td', null, 'number'), make('td', null, 'number'), make('td', null, 'number optional'));
  return row;
}

function updateRow(row, member, short) {
  const [name, state, since, visible, missing, partition, otp] = row.children;
  name.children[0].href = '#/member/' + encodeURIComponent(member.node);
  name.title = member.node;
  say(name.children[0], short(member.node));
  say(name.children[1], member.listed === false ? ' not listed' : '');
  mark(state.children[0], 'state ' + known(member.state, memberStates, 'none'));
  say(state.children[0], member.state);
  say(state.children[1], member.reason ? ' ' + member.reason : '');
  say(since, member.since_at ? ago(member.since_at) : '\u2013');
  since.title = member.since_at ? day(member.since_at) : '';
  say(visible, shown(member.visible));
  say(missing, shown(member.missing));
  mark(missing, member.missing > 0 ? 'number error' : 'number');
  say(partition, shown(member.partition));
  say(otp, shown(member.otp_release));
}

// standingBy: of a Rollcall that knows nobody, since another one is at work.
export function showMembers(members, short, standingBy) {
  const wanted = members.filter(filter.matches);
  const order = sorted ? (a, b) => (backwards ? -1 : 1) * sorted.order(a, b) || naturalOrder(a.node, b.node)
    : (a, b) => columns[1].order(a, b) || (b.missing || 0) - (a.missing || 0) || naturalOrder(a.node, b.node);
  wanted.sort(order);
  keyed(at('members'), wanted.slice(0, tableMost), m => m.node, createRow, (row, member) => updateRow(row, member, short));
  say(at('members-note'), members.length === 0 ? (standingBy ? 'standing by' : 'none discovered yet') : wanted.length < members.length ? wanted.length + ' of ' + members.length
    : members.length > tableMost ? 'the first ' + tableMost + ' of ' + members.length : String(members.length));
}

export function showDiscovery(discovery) {
  const sources = Array.isArray(discovery) ? discovery : discovery.sources || [];
  keyed(at('discovery'), sources, source => source.source, () => {
    const row = make('tr'), name = make('td', null, 'name'), state = make('td');
    name.append(make('span'), make('div', null, 'soft'));
    state.append(make('span'));
    row.append(name, state, make('td', null, 'soft'));
    return row;
  }, (row, source) => {
    const outcome = source.outcome ?? 'not asked';
    say(row.children[0].children[0], source.source);
    say(row.children[0].children[1], source.detail ?? '');
    mark(row.children[1].firstChild, 'state ' + (['ok', 'empty', 'partial'].includes(outcome) ? outcome : outcome === 'not asked' ? 'none' : 'failed'));
    say(row.children[1].firstChild, outcome);
    say(row.children[2], counted(source.records ?? 0, 'record'));
  });
}

function netsplitText(split, short) {
  const cause = split.cause ? 'It began between ' + short(split.cause.from) + ' and ' + short(split.cause.to) + ' (' + split.cause.reason +
    (split.cause.path ? ', path: ' + split.cause.path : '') + '). ' : '';
  if (split.type === 'full') return cause + split.groups.map(group => group.length + ': ' + some(group.map(short), 4)).join(' | ');
  return cause + (split.pairs_broken > 0 ? counted(split.pairs_broken, 'pair') + ': ' + some(split.pairs.map(pair => pair.map(short).join(' \u2013 ')), 4) : '');
}

export function showNetsplits(netsplits, short, standingBy) {
  const items = netsplits.length === 0 ? [null] : netsplits.slice(0, 10);
  keyed(at('netsplits'), items, split => split?.id ?? 'none', () => {
    const item = make('li');
    item.append(make('b'), make('span', null, 'soft'), make('span'));
    return item;
  }, (item, split) => {
    if (split === null) {
      mark(item, 'none');
      return say(item.children[0], standingBy ? 'standing by' : 'none is known');
    }
    const open = split.closed_at === null;
    mark(item, open ? (split.type === 'full' ? 'error' : 'warning') : 'over');
    say(item.children[0], open ? split.type + ', for ' + ago(split.opened_at) : split.type + ', ' + split.ended + ' after ' + span(split.duration_ms));
    say(item.children[1], day(split.opened_at));
    say(item.children[2], netsplitText(split, short) + (!open && split.ended === 'healed' ? ' Data may differ between the sides: see the runbook.' : ''));
  });
}

export function showEvents(events, short, standingBy) {
  const newest = events.slice().sort((a, b) => b.id - a.id);
  keyed(at('events'), newest.length === 0 ? [null] : newest, event => event?.id ?? 'none', event => {
    const item = make('li');
    if (event === null) {
      item.append(make('span'), make('span', standingBy ? 'standing by' : 'nothing has happened yet', 'soft'));
      return item;
    }
    const when = make('time', clock(event.at)), text = make('div');
    when.dateTime = new Date(event.at).toISOString();
    when.title = day(event.at);
    text.append(make('b', String(event.type).replaceAll('_', ' ')), make('span', ' '), make('span', short(event.text || event.node || ''), 'soft'));
    item.append(when, text);
    return item;
  }, () => {});
}
