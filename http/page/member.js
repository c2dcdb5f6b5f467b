// One member: what it sees, who sees it, what keeps it out, what happened to it.
import {at, counted, day, make, say, shown, some} from './elements.js';

let told = '';

function row(list, term, ...content) {
  const description = make('dd');
  description.append(...content);
  list.append(make('dt', term), description);
}

function viewsOf(picture, name) {
  const self = picture.members.findIndex(m => m.node === name);
  if (self < 0 || !picture.views) return null;
  const names = pick => picture.members.filter((m, other) => other !== self && m.state !== 'left' && pick(other)).map(m => m.node);
  const own = picture.views[self];
  return {
    known: own !== null && own !== undefined,
    sees: names(other => own?.[other] === '1'), misses: names(other => own?.[other] === '0'),
    seenBy: names(other => picture.views[other]?.[self] === '1'), unseenBy: names(other => picture.views[other]?.[self] === '0'),
  };
}

const list = (names, short) => names.length === 0 ? 'nobody' : counted(names.length, 'member') + ': ' + some(names.map(short), 40);

function steps(why) {
  if (why === null || why === undefined) return [];
  const lines = [];
  for (const step of Array.isArray(why.steps) ? why.steps : []) {
    const found = step.ok === null ? 'not known' : step.ok ? 'ok' : 'here it is stuck';
    lines.push(step.step.replaceAll('_', ' ') + ': ' + found + (step.text && step.text !== why.text ? ', ' + step.text : ''));
  }
  return lines;
}

// member: null when nobody knows the name. why: the answer of /api/v1/why, or null.
export function showMember(name, member, why, picture, events, short) {
  const state = JSON.stringify([name, member, why, picture.views, events.length]);
  if (state === told) return;
  told = state;
  say(at('member-title'), name);
  if (member === null) return at('member').replaceChildren(make('p', why?.text ?? 'Rollcall does not know a member of that name.'));
  const facts = make('dl'), stateShown = make('span', member.state, 'state ' + member.state);
  row(facts, 'state', stateShown, member.reason ? ' ' + member.reason : '');
  row(facts, 'since', member.since_at ? day(member.since_at) : '\u2013');
  row(facts, 'listed', member.listed ? 'yes' : 'no');
  row(facts, 'partition', shown(member.partition));
  row(facts, 'OTP release', shown(member.otp_release));
  row(facts, 'creation', shown(member.creation));
  const views = viewsOf(picture, name);
  if (views !== null) {
    row(facts, 'sees', views.known ? list(views.sees, short) : 'not known: it has no fresh view');
    if (views.misses.length > 0) row(facts, 'does not see', list(views.misses, short));
    row(facts, 'seen by', list(views.seenBy, short));
    if (views.unseenBy.length > 0) row(facts, 'not seen by', list(views.unseenBy, short));
  }
  const parts = [facts];
  const lines = steps(why);
  if (lines.length > 0) {
    const ordered = make('ol');
    ordered.append(...lines.map(line => make('li', line)));
    parts.push(make('h3', 'Step by step'), make('p', why.text), ordered);
  }
  const own = events.filter(event => event.node === name).sort((a, b) => b.id - a.id).slice(0, 30);
  const history = make('ul');
  history.append(...own.map(event => make('li', day(event.at) + ': ' + event.text)));
  parts.push(make('h3', 'History'), own.length > 0 ? history : make('p', 'Nothing is remembered of it.', 'soft'));
  at('member').replaceChildren(...parts);
}

export function forgetShown() {
  told = '';
}
