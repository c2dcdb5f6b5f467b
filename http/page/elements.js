// Elements made and kept: what is shown stays the same element while its key stays, so that focus, selection and scroll do.

export const at = id => document.getElementById(id);
const svgSpace = 'http://www.w3.org/2000/svg';

export function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = String(text);
  if (className) element.className = className;
  return element;
}

export function svg(tag, attributes = {}, text) {
  const element = document.createElementNS(svgSpace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function mark(element, className) {
  if (element.getAttribute('class') !== className) element.setAttribute('class', className);
}

// Makes the children of `parent` those of `items`, in order: found again by key, changed by `update`, moved only when out of place.
export function keyed(parent, items, keyOf, create, update) {
  const known = new Map();
  for (const child of parent.children) known.set(child.dataset.key, child);
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = known.get(key);
    if (element) {
      known.delete(key);
    } else {
      element = create(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(element, next);
    }
  }
  for (const gone of known.values()) gone.remove();
}

export const shown = value => value === null || value === undefined ? '\u2013' : String(value);
export const counted = (n, one, many = one + 's') => n + ' ' + (n === 1 ? one : many);
export const known = (value, names, otherwise) => names.includes(value) ? value : otherwise;
export const some = (names, most) => names.slice(0, most).join(', ') + (names.length > most ? ' and ' + (names.length - most) + ' more' : '');

export const clock = ms => new Date(ms).toLocaleTimeString([], {hour12: false});
export const day = ms => new Date(ms).toLocaleString();
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return s + ' s';
  if (s < 7200) return Math.round(s / 60) + ' min';
  if (s < 172800) return Math.round(s / 3600) + ' h';
  return Math.round(s / 86400) + ' d';
}
export const ago = ms => span(Date.now() - ms);
