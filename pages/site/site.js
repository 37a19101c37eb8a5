// The pages of the site: which view of a page is seen, its figures, the question, the theme, the keys.
// The parameters of a page stand in the fragment of its address: a page on a disk cannot change its query.

const root = document.documentElement;
const all = selector => [...document.querySelectorAll(selector)];
const one = selector => document.querySelector(selector);
const parameters = () => new URLSearchParams(location.hash.slice(1));

// ---- what the browser keeps: the theme for all pages, the answer for the page and the window

function kept(storage, name, value) {
  try {
    if (value !== undefined) storage().setItem(name, value);
    return storage().getItem(name) ?? '';
  } catch {
    return kept[name] = value ?? kept[name] ?? ''; // a browser may refuse to keep anything
  }
}

const local = () => localStorage, session = () => sessionStorage;
const answer = value => kept(session, `answer ${root.dataset.page}`, value);

// ---- the theme

const dark = matchMedia('(prefers-color-scheme: dark)');

function applyTheme(name = kept(local, 'theme') || (dark.matches ? 'dark' : 'light')) {
  root.dataset.theme = name;
  root.style.colorScheme = name;
  dispatchEvent(new Event('resize')); // the player looks at the theme when it measures the page
}

applyTheme();
dark.addEventListener('change', () => applyTheme());

// ---- figures: their data are scripts, because a page on a disk may load no other file

const parts = new Map();

function load(name) {
  if (!parts.has(name)) {
    parts.set(name, Promise.withResolvers());
    const script = Object.assign(document.createElement('script'), {src: `../data/${name}.js`});
    script.onerror = () => parts.get(name).reject(new Error(name));
    document.head.append(script);
  }
  return parts.get(name).promise;
}

globalThis.siteData = async (name, text) => {
  const packed = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  parts.get(name).resolve(new Uint8Array(await new Response(stream).arrayBuffer()));
};

async function draw(place) {
  place.wanted = true;
  const [header, arrays] = await Promise.all(place.dataset.parts.split(' ').map(load)).catch(() => []);
  if (!place.wanted || place.host) return;
  if (!header) {
    place.textContent = document.body.dataset.failed;
    return;
  }
  const data = new Uint8Array(header.length + arrays.length + 8); // 8: the number of the update, 0
  data.set(header);
  data.set(arrays, header.length);
  place.host = document.createElement('div');
  place.append(place.host);
  place.clear = showStage({data, parentElement: place.host.attachShadow({mode: 'open'})});
}

function clear(place) {
  place.wanted = false;
  if (!place.host) return;
  place.host.remove();
  place.clear();
  place.host = null;
}

// ---- which view is seen

const views = all('.view'), question = one('[data-question]');
const scenes = all('.scenes a').map(tab => tab.dataset.show);
const viewOf = (scene, state) => views.find(view => view.dataset.state === state && view.dataset.scenes.split(' ').includes(scene));

// The scene that the address asks for, and whether its question is open. Where the question keeps other scenes back, an
// address that names one of them opens it.
function place() {
  const given = parameters(), named = scenes.includes(given.get('show')), scene = named ? given.get('show') : scenes[0] ?? '';
  const opens = question?.dataset.gate === 'true' && named;
  const open = !answer() && given.get('predictions') !== 'false' && !opens && !!viewOf(scene, 'asking');
  const decided = answer() && given.has('decided') && viewOf(scene, 'decided');
  return {scene, open, view: open ? viewOf(scene, 'asking') : decided || viewOf(scene, 'shown')};
}

function render() {
  const {scene, open, view} = place();
  for (const each of views) if (each !== view) hide(each);
  if (question) askIn(scene, open);
  saySettings();
  const tabs = one('.scenes');
  if (tabs) tabs.hidden = open && question.dataset.gate === 'true';
  for (const tab of all('.scenes a')) tab.setAttribute('aria-current', tab.dataset.show === scene);
  view.hidden = false;
  view.querySelectorAll('.figure').forEach(draw);
}

// Says it where the address asks for a setting that this file does not have.
function saySettings() {
  const said = one('[data-settings]');
  if (!said) return;
  const shown = JSON.parse(said.dataset.settings);
  said.hidden = ![...parameters()].some(([name, value]) => name in shown && value !== shown[name]);
}

function hide(view) {
  if (view.hidden) return;
  view.hidden = true;
  view.querySelectorAll('.figure').forEach(clear);
}

function askIn(scene, open) {
  question.hidden = !(open || answer()) || !question.dataset.scenes.split(' ').includes(scene);
  root.classList.toggle('answered', !question.hidden && !!answer());
  for (const card of question.children) card.hidden = card.dataset.option !== answer();
}

// Opens a scene: an entry of the history of its own, without the clock of the scene before.
function open(scene, more = {}) {
  const given = parameters();
  for (const name of ['clock', 'decided', 'zoom']) given.delete(name);
  for (const [name, value] of Object.entries({show: scene, ...more})) if (value) given.set(name, value);
  const fragment = given.toString();
  if (fragment === location.hash.slice(1)) render();
  else location.hash = fragment;
}

// The next scene (by 1) or the one before (by -1): after the last one the next page, before the first one the last scene
// of the page before.
function turn(by) {
  const at = scenes.indexOf(place().scene) + by;
  if (at >= 0 && at < scenes.length) return open(scenes[at]);
  const link = one(`.neighbours [rel=${by > 0 ? 'next' : 'prev'}]`);
  if (link) location.href = link.href + (by < 0 && link.dataset.last ? `#show=${link.dataset.last}` : '');
}

// ---- what a reader does

const ACTIONS = {
  answer: button => { answer(button.dataset.answer); open(question.dataset.decides, {decided: '1'}); },
  decided: () => open(question.dataset.decides, {decided: '1'}),
  again: () => { answer(''); open(place().scene); },
  next: () => turn(1),
  show: tab => open(tab.dataset.show),
  language: link => { location.href = link.href.split('#')[0] + location.hash; },
  themeSwitch: () => { kept(local, 'theme', root.dataset.theme === 'dark' ? 'light' : 'dark'); applyTheme(); },
};

document.addEventListener('click', event => {
  const target = event.target.closest('a, button');
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const name = Object.keys(ACTIONS).find(name => name in target.dataset);
  if (name) event.preventDefault(), ACTIONS[name](target);
  else if (target.matches('.skip')) event.preventDefault(), one('#picture').focus();
});

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input,textarea,select')) return;
  const by = {PageDown: 1, PageUp: -1}[event.key];
  if (by) event.preventDefault(), turn(by);
});

function search(text) {
  const wanted = text.trim().toLowerCase();
  for (const head of all('.st-key-terms [role=heading]')) {
    const entry = head.nextElementSibling;
    head.hidden = entry.hidden = !`${head.textContent} ${entry.textContent}`.toLowerCase().includes(wanted);
  }
}

// ---- printing: on paper all is light, and what is folded is seen

addEventListener('beforeprint', () => {
  applyTheme('light');
  for (const part of all('.view:not([hidden]) details:not([open])')) part.open = part.dataset.opened = true;
});
addEventListener('afterprint', () => {
  applyTheme();
  for (const part of all('details[data-opened]')) { part.open = false; delete part.dataset.opened; }
});

// ---- the page that chooses the language

function chooseLanguage() {
  const links = all('#choice a'), known = links.find(link => navigator.language.startsWith(link.lang)) ?? links[0];
  location.replace(known.href);
}

addEventListener('DOMContentLoaded', () => {
  one('[data-search]')?.addEventListener('input', event => search(event.target.value));
  if (views.length) {
    addEventListener('hashchange', render);
    render();
  } else if (one('#choice')) {
    chooseLanguage();
  }
});
