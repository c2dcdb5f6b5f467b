// Whatever comes from the cluster is set with textContent: a node's name is never markup. The text is a raw
// string here, so that the program is one file; {{nonce}} and {{version}} are filled in for each answer.
#include "http/page.hpp"

#include <cstdint>
#include <random>

namespace rollcall::http {

namespace {

constexpr std::string_view html_text = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Rollcall</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cg stroke='%23778' stroke-width='1.2'%3E%3Cpath d='M8 3 3 12h10z' fill='none'/%3E%3C/g%3E%3Cg fill='%232a9d62'%3E%3Ccircle cx='8' cy='3' r='2.6'/%3E%3Ccircle cx='3' cy='12' r='2.6'/%3E%3Ccircle cx='13' cy='12' r='2.6'/%3E%3C/g%3E%3C/svg%3E">
<style nonce="{{nonce}}">
:root {
  --back: #f4f5f7; --card: #fff; --line: #e1e4e9; --ink: #1b2027; --soft: #626b78;
  --ok: #1f8f55; --warning: #b26a00; --error: #c5322d; --idle: #98a1ad; --accent: #3b62c4;
  --ok-back: #e3f4ea; --warning-back: #fdf0d9; --error-back: #fbe4e2; --idle-back: #eceef1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12151a; --card: #1a1e25; --line: #2b313b; --ink: #e4e8ee; --soft: #939dab;
    --ok: #4cc384; --warning: #e7a63f; --error: #f0716b; --idle: #5d6673; --accent: #86a5f5;
    --ok-back: #16301f; --warning-back: #352811; --error-back: #3a1c1b; --idle-back: #252a32;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
code, .name, td.number { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; }
header { display: flex; align-items: center; gap: 14px; flex-wrap: wrap; padding: 16px 28px; background: var(--card);
  border-bottom: 1px solid var(--line); }
h1 { font-size: 17px; margin: 0; letter-spacing: .01em; }
h1 small { font-weight: 400; color: var(--soft); margin-left: 6px; font-size: 12px; }
#light { display: inline-flex; align-items: center; gap: 8px; padding: 4px 13px 4px 10px; border-radius: 99px; font-weight: 600; }
#light::before { content: ""; width: 11px; height: 11px; border-radius: 50%; background: currentColor; }
.ok { color: var(--ok); } .warning { color: var(--warning); } .error { color: var(--error); } .idle { color: var(--soft); }
#light.ok { background: var(--ok-back); } #light.warning { background: var(--warning-back); }
#light.error { background: var(--error-back); } #light.idle { background: var(--idle-back); }
#age { margin-left: auto; color: var(--soft); font-size: 12.5px; }
#silent { padding: 10px 28px; background: var(--error); color: #fff; font-weight: 600; }
main { padding: 20px 28px 40px; max-width: 1500px; margin: 0 auto; display: grid; gap: 18px;
  grid-template-columns: repeat(12, 1fr); }
body.stale main { opacity: .45; filter: grayscale(1); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px 16px; min-width: 0;
  grid-column: span 12; }
h2 { font-size: 12px; text-transform: uppercase; letter-spacing: .07em; color: var(--soft); margin: 0 0 10px; font-weight: 600; }
h2 span { text-transform: none; letter-spacing: 0; font-weight: 400; margin-left: 6px; }
#numbers { grid-column: span 12; display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 14px; }
#numbers div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 18px; }
#numbers b { display: block; font-size: 27px; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
#numbers span { color: var(--soft); font-size: 12.5px; }
#details, #netsplits { list-style: none; margin: 0; padding: 0; display: grid; gap: 6px; }
#details li, #netsplits li { padding: 8px 12px; border-radius: 7px; border-left: 4px solid currentColor; }
#details li.warning, #netsplits li.warning { background: var(--warning-back); } #details li.error, #netsplits li.error { background: var(--error-back); }
#netsplits li.over { background: var(--idle-back); border-left-color: var(--line); }
#details li span, #netsplits li span { color: var(--ink); margin-left: 10px; }
.scroll { overflow: auto; max-height: 560px; }
.scroll.whole { max-height: none; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 500; font-size: 12px; color: var(--soft); padding: 5px 12px 5px 0; white-space: nowrap;
  position: sticky; top: 0; background: var(--card); box-shadow: 0 1px var(--line); }
td { padding: 5px 12px 5px 0; border-top: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.name { overflow-wrap: anywhere; } td.close { white-space: nowrap; }
.detail { font-family: system-ui, sans-serif; font-size: 12.5px; overflow-wrap: anywhere; }
.state { display: inline-block; padding: 0 9px; border-radius: 99px; font-size: 12.5px; font-weight: 600; line-height: 20px; }
.state.up, .state.answer { color: var(--ok); background: var(--ok-back); }
.state.joining, .state.suspect, .state.leaving, .state.empty { color: var(--warning); background: var(--warning-back); }
.state.down, .state.failed { color: var(--error); background: var(--error-back); }
.state.left, .state.none { color: var(--soft); background: var(--idle-back); }
.soft { color: var(--soft); }
#members-card { grid-column: span 8; } #side { grid-column: span 4; display: grid; gap: 18px; align-content: start; min-width: 0; }
#matrix-card { grid-column: span 7; } #events-card { grid-column: span 5; }
@media (max-width: 1080px) { #members-card, #side, #matrix-card, #events-card { grid-column: span 12; } }
#matrix { border-collapse: separate; border-spacing: 2px; width: auto; }
#matrix th { position: static; box-shadow: none; padding: 0 8px 0 0; font-weight: 400; color: var(--ink); }
#matrix thead th { padding: 0; text-align: center; color: var(--soft); font-size: 10.5px; }
#matrix td { width: 18px; height: 18px; min-width: 9px; padding: 0; border: 0; border-radius: 3px; background: var(--idle-back); }
#matrix td.sees { background: var(--ok); } #matrix td.blind { background: var(--card); box-shadow: inset 0 0 0 3px var(--error); } #matrix td.doubtful { background: var(--warning-back); box-shadow: inset 0 0 0 3px var(--warning); } #matrix td.self { background: transparent; }
#matrix.dense td { width: 11px; height: 11px; border-radius: 2px; } #matrix.dense { border-spacing: 1px; font-size: 11px; }
.legend { display: flex; gap: 16px; margin-top: 10px; color: var(--soft); font-size: 12px; flex-wrap: wrap; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 5px; vertical-align: -1px; }
.legend .sees { background: var(--ok); } .legend .blind { box-shadow: inset 0 0 0 3px var(--error); } .legend .doubtful { background: var(--warning-back); box-shadow: inset 0 0 0 3px var(--warning); } .legend .unknown { background: var(--idle-back); }
.group { border-left: 4px solid var(--accent); padding: 2px 0 2px 10px; margin-bottom: 8px; word-break: break-word; }
.group b { font-weight: 600; display: block; }
#events { list-style: none; margin: 0; padding: 0; }
#events li { display: grid; grid-template-columns: 74px 1fr; gap: 10px; padding: 5px 0; border-top: 1px solid var(--line); }
#events li.nothing { display: block; }
#events li:first-child { border-top: 0; }
#events time { color: var(--soft); font-variant-numeric: tabular-nums; }
footer { text-align: center; color: var(--soft); font-size: 12px; padding-bottom: 26px; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
[hidden] { display: none !important; }
</style>
</head>
<body>
<header>
  <h1>Rollcall<small>{{version}}</small></h1>
  <span id="light" class="idle" role="status">asking</span>
  <span id="age"></span>
</header>
<div id="silent" role="alert" hidden></div>
<main>
  <div id="numbers"></div>
  <section id="details-card" hidden><h2>What is wrong</h2><ul id="details"></ul></section>
  <section id="netsplits-card" hidden>
    <h2>Netsplits<span>newest first</span></h2><ul id="netsplits"></ul></section>
  <section id="members-card"><h2>Members<span id="members-note"></span></h2>
    <div class="scroll"><table>
      <thead><tr><th>node</th><th>state</th><th>since</th><th class="number">sees</th><th class="number">missing</th>
        <th class="number">partition</th><th class="number">otp</th></tr></thead>
      <tbody id="members"></tbody></table></div>
  </section>
  <div id="side">
    <section><h2>Partitions</h2><div id="partitions"></div></section>
    <section><h2>Discovery</h2><div class="scroll"><table><tbody id="discovery"></tbody></table></div></section>
  </div>
  <section id="matrix-card"><h2>Who sees whom<span id="matrix-note"></span></h2>
    <div class="scroll whole"><table id="matrix"></table></div>
    <div class="legend" id="legend"><span><i class="sees"></i>the row sees the column</span>
      <span><i class="blind"></i>it does not</span><span><i class="doubtful"></i>it does, and probes fail</span><span><i class="unknown"></i>no fresh view</span></div>
  </section>
  <section id="events-card"><h2>Events<span>newest first</span></h2><div class="scroll"><ol id="events"></ol></div></section>
</main>
<footer><a href="metrics">/metrics</a> &middot; <a href="api/v1/status">/api/v1/status</a> &middot;
  <a href="api/v1/members">/api/v1/members</a></footer>
<noscript><p>This page needs JavaScript; the same facts are under <a href="api/v1/status">/api/v1</a>.</p></noscript>
<script nonce="{{nonce}}">
'use strict';
(() => {
  const interval = 3000, limit = 8000, matrixMost = 60, tableMost = 1000;
  const at = id => document.getElementById(id);
  const make = (tag, text, className) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = String(text);
    if (className) element.className = className;
    return element;
  };
  const shown = value => value === null || value === undefined ? '\u2013' : String(value);
  const fill = (parent, children) => parent.replaceChildren(...children);
  const known = (value, names, otherwise) => names.includes(value) ? value : otherwise;

  const ago = ms => {
    const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
    if (s < 60) return s + ' s';
    if (s < 3600) return Math.floor(s / 60) + ' min';
    if (s < 172800) return Math.floor(s / 3600) + ' h';
    return Math.floor(s / 86400) + ' d';
  };
  const clock = ms => new Date(ms).toLocaleTimeString([], {hour12: false});
  const day = ms => new Date(ms).toLocaleString();

  async function ask(path) {
    const answer = await fetch('api/v1/' + path, {cache: 'no-store', signal: AbortSignal.timeout(limit)});
    if (!answer.ok) throw new Error(path + ' answered ' + answer.status);
    return answer.json();
  }

  function number(value, label, className) {
    const card = make('div');
    card.append(make('b', shown(value), className), make('span', label));
    return card;
  }

  function showStatus(status, members) {
    const health = known(status.health, ['ok', 'warning', 'error'], 'idle');
    const light = at('light');
    light.className = health;
    light.textContent = status.health;
    document.title = (health === 'ok' ? '' : status.health + ': ') + 'Rollcall ' + shown(status.up) + '/' + shown(status.expected);
    const down = members.filter(m => m.state === 'down').length;
    fill(at('numbers'), [
      number(shown(status.up) + ' / ' + shown(status.expected), 'members up, of those expected',
             status.up < status.expected ? 'warning' : ''),
      number(status.partitions, 'partitions', status.partitions > 1 ? 'error' : ''),
      number(status.links_missing, 'links missing', status.links_missing > 0 ? 'error' : ''),
      number(members.filter(m => m.state === 'suspect').length, 'suspect'),
      number(down, 'down', down > 0 ? 'error' : ''),
    ]);
    const details = Array.isArray(status.details) ? status.details : [];
    at('details-card').hidden = details.length === 0;
    fill(at('details'), details.map(detail => {
      if (typeof detail !== 'object' || detail === null) return make('li', detail, 'warning');
      const item = make('li', null, known(detail.severity, ['warning', 'error'], 'warning'));
      item.append(make('b', detail.name), make('span', detail.text));
      return item;
    }));
  }

  function memberRow(member) {
    const row = make('tr');
    const name = make('td', null, 'name');
    const link = make('a', member.node);
    link.href = 'api/v1/members/' + encodeURIComponent(member.node);
    name.append(link);
    if (member.listed === false) name.append(make('span', ' not listed', 'soft'));
    const state = make('td');
    state.append(make('span', member.state, 'state ' + known(member.state,
      ['up', 'joining', 'suspect', 'leaving', 'down', 'left'], 'none')));
    if (member.reason) state.append(make('span', ' ' + member.reason, 'soft'));
    const since = make('td', member.since_at ? ago(member.since_at) : '\u2013', 'soft');
    if (member.since_at) since.title = day(member.since_at);
    row.append(name, state, since, make('td', shown(member.visible), 'number'),
      make('td', shown(member.missing), member.missing > 0 ? 'number error' : 'number'),
      make('td', shown(member.partition), 'number'), make('td', shown(member.otp_release), 'number'));
    return row;
  }

  // What needs a look comes first.
  const urgency = {down: 0, suspect: 1, joining: 2, leaving: 3, up: 4, left: 5};
  function showMembers(members) {
    const sorted = members.slice().sort((a, b) =>
      (urgency[a.state] ?? 6) - (urgency[b.state] ?? 6) || (b.missing || 0) - (a.missing || 0));
    fill(at('members'), sorted.slice(0, tableMost).map(memberRow));
    at('members-note').textContent = members.length === 0 ? 'none discovered yet'
      : members.length > tableMost ? 'the first ' + tableMost + ' of ' + members.length : '';
  }

  function showPartitions(partitions) {
    fill(at('partitions'), partitions.length === 0 ? [make('span', 'nobody is reached', 'soft')] :
      partitions.map((group, index) => {
        const item = make('div', null, 'group');
        const most = partitions.length === 1 ? 6 : 12;
        item.append(make('b', partitions.length === 1 ? 'together: ' + group.length + (group.length === 1 ? ' member' : ' members')
          : index + ': ' + group.length + (group.length === 1 ? ' member' : ' members')));
        item.append(make('span', group.slice(0, most).join(', ') + (group.length > most ? ', \u2026' : ''), 'name soft'));
        return item;
      }));
  }

  function showDiscovery(discovery) {
    const sources = Array.isArray(discovery) ? discovery : discovery.sources || [];
    fill(at('discovery'), sources.map(source => {
      const row = make('tr');
      const name = make('td', null, 'name');
      name.append(make('span', source.source));
      if (source.detail) name.append(make('div', source.detail, 'soft detail'));
      const outcome = source.outcome ?? 'not asked';
      const state = make('td');
      state.append(make('span', shown(outcome), 'state ' +
        (outcome === 'ok' ? 'answer' : outcome === 'not asked' ? 'none' : outcome === 'empty' ? 'empty' : 'failed')));
      row.append(name, state, make('td', shown(source.records) + (source.records === 1 ? ' record' : ' records'), 'soft close'));
      return row;
    }));
  }

  const span = ms => ms < 120000 ? (ms / 1000).toFixed(ms < 10000 ? 1 : 0) + ' s' : ms < 7200000 ? Math.round(ms / 60000) + ' min'
    : Math.round(ms / 3600000) + ' h';
  const some = names => names.slice(0, 4).join(', ') + (names.length > 4 ? ' and ' + (names.length - 4) + ' more' : '');
  function showNetsplits(netsplits) {
    at('netsplits-card').hidden = netsplits.length === 0;
    fill(at('netsplits'), netsplits.slice(0, 10).map(split => {
      const open = split.closed_at === null;
      const item = make('li', null, open ? (split.type === 'full' ? 'error' : 'warning') : 'over');
      item.append(make('b', open ? split.type + ', for ' + ago(split.opened_at)
        : split.type + ', ' + split.ended + ' after ' + span(split.duration_ms)));
      const when = make('span', day(split.opened_at) + '. ', 'soft');
      const cause = split.cause === null ? '' : 'It began between ' + split.cause.from + ' and ' + split.cause.to + ' (' +
        split.cause.reason + (split.cause.path === null ? '' : ', path: ' + split.cause.path) + '). ';
      const groups = split.type === 'full'
        ? split.groups.map(group => group.length + ': ' + some(group)).join(' \u2502 ')
        : split.pairs_broken > 0 ? split.pairs_broken + (split.pairs_broken === 1 ? ' pair: ' : ' pairs: ') +
          some(split.pairs.map(pair => pair.join(' \u2013 '))) : '';
      item.append(when, make('span', cause + groups));
      return item;
    }));
  }

  function showMatrix(members, views, suspected) {
    const doubtful = new Set(suspected.flatMap(pair => [pair.a + ' ' + pair.b, pair.b + ' ' + pair.a]));
    const present = members.filter(m => m.state !== 'left').map(m => m.node);
    const table = at('matrix');
    at('legend').hidden = views === null;
    at('matrix-note').textContent = views === null ? 'shown for up to ' + matrixMost + ' members' : '';
    if (views === null) return fill(table, []);
    table.className = present.length > 24 ? 'dense' : '';
    const sees = new Map(views.map(view => [view.node, view.sees === null ? null : new Set(view.sees)]));
    const head = make('thead'), top = make('tr'), body = make('tbody');
    top.append(make('th'));
    present.forEach((name, index) => {
      const cell = make('th', present.length > 24 ? '' : index + 1);
      cell.title = name;
      top.append(cell);
    });
    head.append(top);
    present.forEach((from, index) => {
      const row = make('tr'), title = make('th', null, 'name');
      title.append(make('span', (index + 1) + ' ', 'soft'), make('span', from));
      row.append(title);
      const view = sees.get(from);
      for (const to of present) {
        const cell = make('td');
        if (from === to) {
          cell.className = 'self';
        } else {
          const doubt = view && view.has(to) && doubtful.has(from + ' ' + to);
          cell.className = !view ? '' : doubt ? 'doubtful' : view.has(to) ? 'sees' : 'blind';
          cell.title = from + (!view ? ' has no fresh view of ' : view.has(to) ? ' sees ' : ' does not see ') + to +
            (doubt ? ', and probes between them fail' : '');
        }
        row.append(cell);
      }
      body.append(row);
    });
    fill(table, [head, body]);
  }

  function showEvents(events) {
    const newest = events.slice().sort((a, b) => b.id - a.id);
    fill(at('events'), newest.length === 0 ? [make('li', 'nothing has happened yet', 'soft nothing')] : newest.map(event => {
      const item = make('li'), when = make('time', clock(event.at)), text = make('div');
      when.title = day(event.at);
      text.append(make('b', String(event.type).replaceAll('_', ' ')), make('span', ' '),
        make('span', event.text || event.node || '', 'soft'));
      item.append(when, text);
      return item;
    }));
  }

  let lastAnswer = null;
  async function refresh() {
    try {
      const [status, members, partitions, discovery, events, netsplits, suspected] = await Promise.all(
        [ask('status'), ask('members'), ask('partitions'), ask('discovery'), ask('events?last=50'), ask('netsplits'),
         ask('links?state=suspected')]);
      const few = members.filter(m => m.state !== 'left').length <= matrixMost;
      const views = few ? await ask('views') : null;
      showStatus(status, members);
      showMembers(members);
      showPartitions(partitions);
      showDiscovery(discovery);
      showNetsplits(netsplits);
      showMatrix(members, views, suspected);
      showEvents(events);
      lastAnswer = Date.now();
      at('age').textContent = 'as of ' + clock(lastAnswer);
      at('silent').hidden = true;
      document.body.classList.remove('stale');
    } catch (problem) {
      const light = at('light');
      light.className = 'idle';
      light.textContent = 'unknown';
      document.title = 'no answer: Rollcall';
      at('silent').textContent = lastAnswer === null ? 'Rollcall does not answer (' + problem.message + ').'
        : 'Rollcall does not answer (' + problem.message + '). What stands below is from ' + clock(lastAnswer) + '.';
      at('silent').hidden = false;
      document.body.classList.add('stale');
    }
    setTimeout(refresh, interval);
  }
  refresh();
})();
</script>
</body>
</html>
)page";

std::string filled(std::string_view nonce, std::string_view version) {
  std::string out;
  out.reserve(html_text.size() + 256);
  std::string_view rest = html_text;
  for (auto mark = rest.find("{{"); mark != std::string_view::npos; mark = rest.find("{{")) {
    out += rest.substr(0, mark);
    rest.remove_prefix(mark);
    const bool is_nonce = rest.starts_with("{{nonce}}");
    out += is_nonce ? nonce : version;
    rest.remove_prefix(is_nonce ? std::string_view("{{nonce}}").size()
                                : std::string_view("{{version}}").size());
  }
  out += rest;
  return out;
}

}  // namespace

page render_page(std::string_view nonce, std::string_view version) {
  std::string policy = "default-src 'none'; script-src 'nonce-";
  policy += nonce;
  policy += "'; style-src 'nonce-";
  policy += nonce;
  policy +=
      "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  return {filled(nonce, version), std::move(policy)};
}

std::string fresh_nonce() {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;  // the system's own generator
  std::string out;
  for (int word = 0; word < 4; ++word) {
    auto bits = static_cast<std::uint32_t>(random());
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) out += digits[bits & 15U];
  }
  return out;
}

}  // namespace rollcall::http
