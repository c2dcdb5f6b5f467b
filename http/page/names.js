// Names as people read them: app-2 before app-10, and what all names end in said once.

const parts = text => text.match(/\d+|\D+/g) ?? [];

// Compares digits as numbers, the rest as text.
export function naturalOrder(a, b) {
  const left = parts(a), right = parts(b);
  for (let i = 0; i < Math.min(left.length, right.length); ++i) {
    if (left[i] === right[i]) continue;
    const x = Number(left[i]), y = Number(right[i]);
    if (!Number.isNaN(x) && !Number.isNaN(y) && x !== y) return x - y;
    return left[i] < right[i] ? -1 : 1;
  }
  return left.length - right.length;
}

// What all hosts end in, from a dot on, or the one host of all; empty when there are fewer than two names, or one would have no host left.
export function commonSuffix(names) {
  if (names.length < 2) return '';
  const hosts = names.map(name => name.slice(name.indexOf('@') + 1));
  if (hosts.every(host => host === hosts[0]) && names.every(name => name.indexOf('@') > 0)) return '@' + hosts[0];
  if (hosts.every(host => /^[\d.]+$/.test(host) || host.includes(':'))) return '';
  const labels = hosts.map(host => host.split('.'));
  const shortest = Math.min(...labels.map(one => one.length));
  let same = 0;
  while (same < shortest - 1 && labels.every(one => one.at(-1 - same) === labels[0].at(-1 - same))) ++same;
  return same === 0 ? '' : '.' + labels[0].slice(-same).join('.');
}

export function shortener(names) {
  const suffix = commonSuffix(names);
  const shorten = name => suffix !== '' && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
  return {suffix, shorten};
}
