// The player: clock, controls, pointer and keyboard of one stage. `paint.js` draws its frames.
// `show` is called by Streamlit at mount and at each data update; a player lives as long as its parent element does.
// Without `setStateValue` nobody computes a scene for another place of the probe, and it stays where it is.

const TIGHT = 1; // width over height of a plot that fills a projector's window beside others, at least
const CHART = 10; // the height of a chart below a presented picture in rem, at least
const PAPER = 680; // the width of a printed picture in CSS pixels: A4 and Letter have that between their margins
const NARROW = 900, PHONE = 480; // windows of one column, and pictures on a phone, in CSS pixels
const PLAYERS = new WeakMap();
const LEFT = new Map(); // what a stage showed when the page took it down: it may put it up again in another place at once
const still = matchMedia('(prefers-reduced-motion: reduce)');
const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));

function show({data, parentElement: root, setStateValue = null, setTriggerValue = null}) {
  if (!data) return;
  const s = PLAYERS.get(root) ?? mount(root), turn = turnOf(data);
  if (turn >= s.turn) { // several first imports of one module may end in any order, and the calls that wait for them
    s.turn = turn;
    s.send = setStateValue && (place => setStateValue('probe', place));
    s.ask = setTriggerValue && (view => setTriggerValue('export', view));
    update(s, data);
  }
  return () => root.isConnected || unmount(s); // called as well, and late, for a picture that stays
}

// ---- data

const TYPES = {i1: Int8Array, u1: Uint8Array, i2: Int16Array, f4: Float32Array};

// Python's number of these data, their last 8 bytes.
const turnOf = data => new DataView(data.buffer, data.byteOffset).getBigUint64(data.byteLength - 8, true);

// Header and arrays of what Python packed; every reference [type, offset, length] becomes a typed array.
function decode(data) {
  const size = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
  const scene = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + size)));
  const bytes = data.slice(4 + size).buffer;
  const unpack = part => {
    for (const [name, [type, offset, length]] of Object.entries(part.arrays ?? {})) part[name] = new TYPES[type](bytes, offset, length);
  };
  unpack(scene);
  scene.words = WORDS[scene.language];
  scene.whole = scene.clock?.every(Number.isInteger);
  scene.panels.forEach((p, index) => {
    unpack(p);
    p.layers.forEach(unpack);
    p.index = index;
    p.words = scene.words;
    p.alone = scene.panels.length === 1;
    p.link = JSON.stringify([p.x, p.y, !p.xlog, !p.ylog, isPicture(p)]);
  });
  for (const p of scene.panels) p.group = scene.panels.findIndex(q => q.link === p.link);
  return scene;
}

function update(s, data) {
  const before = s.scene, scene = s.scene = decode(data);
  s.bytes = data.byteLength;
  s.ticks++;
  s.fps = scene.fps;
  if (!before) begin(s);
  else if (opens(scene)) stand(s, scene.view[1]);
  else if (scene.restart !== before.restart) restart(s);
  else if (scene.T !== before.T) {
    s.place = placeOf(s, before);
    s.k = frameAt(scene, s.place);
  }
  const asked = JSON.stringify(scene.probe ?? null);
  const echo = s.sent.indexOf(asked);
  if (echo >= 0) s.sent = s.sent.slice(echo + 1); // Python repeats what it was told; the learner may be further by now
  else if (asked !== s.asked) { s.probe = scene.probe ?? null; s.told = asked; }
  s.asked = asked;
  describe(s);
  measure(s);
  draw(s);
  if (!before) s.ready = performance.now();
  keepAddress(s);
}

// Where the clock stands as a part of its way, which holds for one of another length. A scene of a single frame has none:
// what was before it, or what the address says, holds on. Null: at the start that the scene asks for.
const placeOf = (s, scene) => scene.T > 1 ? s.k / (scene.T - 1) : s.place;
const frameAt = (scene, place) => place === null ? scene.start ?? 0 : Math.round(place * (scene.T - 1));

function begin(s) {
  const {scene} = s, left = LEFT.get(scene.key);
  if (opens(scene)) stand(s, scene.view[1]);
  else {
    stand(s, scene.permalink ? readAddress(scene.key) : {});
    if (left?.path === location.pathname && left.restart === scene.restart && performance.now() - left.at < 2000) Object.assign(s, {place: left.place, zoom: left.zoom});
    s.k = frameAt(scene, s.place);
  }
  if (scene.autoplay && s.place === null && !still.matches && scene.T > 1) play(s);
  const counters = ['k', 'drawn', 'ms', 'ticks', 'mounted', 'ready', 'bytes', 'playing', 'probe', 'zoom', 'frames', 'speed', 'loop'];
  const own = globalThis.__stage ??= {};
  own[scene.key] = Object.defineProperties({get T() { return s.scene.T; }, get plots() { return s.scene.panels.map(p => p.plot); }},
    Object.fromEntries(counters.map(name => [name, {get: () => s[name], enumerable: true}])));
}

function restart(s) {
  s.place = null;
  s.k = frameAt(s.scene, null);
  if (s.scene.autoplay && !still.matches) play(s); else pause(s);
}

// How the picture stands as an address says it (`links.STAGE` in Python): the clock as a part of its way, what is enlarged,
// how it plays. What an address does not say is as the scene has it.
function stand(s, {clock, zoom, speed, loop}) {
  s.place = clock ? Number(clock) : null;
  s.zoom = {};
  for (const [, panel, x, y, scale] of (zoom ?? '').matchAll(/(\d+),([-.\de]+),([-.\de]+),([.\d]+)/g)) s.zoom[panel] = {x: +x, y: +y, scale: clamp(+scale, 0.1, 100)};
  s.loop = loop ? loop === 'true' : !!s.scene.loop;
  s.pace.value = [...s.pace.options].find(option => option.value && +option.value === Number(speed ?? 1))?.value ?? '1';
  s.speed = +s.pace.value;
  s.playing = false;
  s.k = frameAt(s.scene, s.place);
}

let opened = null; // the number of the last view that was opened as a whole

// Whether the page asks, for the first time, that the picture stands as one view has it.
function opens({view}) {
  if (!view || view[0] === opened) return false;
  opened = view[0];
  return true;
}

// ---- the page's address remembers how the picture stands

// A page's parameters: its query; in a page of plain files, whose query a browser may not change, its fragment.
const inFragment = document.documentElement.hasAttribute('data-parameters-in-fragment');
const parameters = () => new URLSearchParams(inFragment ? location.hash.slice(1) : location.search);

// Sets the parameters that have a value and takes out those that are null.
function setParameters(values) {
  const url = new URL(location.href), given = parameters();
  for (const [name, value] of Object.entries(values)) if (value === null) given.delete(name); else given.set(name, value);
  url[inFragment ? 'hash' : 'search'] = given;
  history.replaceState(history.state, '', url);
}

const KEPT = ['clock', 'zoom', 'speed', 'loop'];
const addressOf = () => Object.fromEntries(KEPT.map(name => [name, parameters().get(name)]));

// Which path and which stage wrote last: a value carried over from another page is not this page's, nor are clock
// and zoom from another picture.
let written = {path: location.pathname, key: null, ...addressOf()};

function readAddress(key) {
  const given = addressOf(), place = Number(given.clock), elsewhere = written.path !== location.pathname;
  for (const name of KEPT) if (elsewhere && written[name] === given[name]) given[name] = null;
  if (!(place >= 0 && place <= 1)) given.clock = null;
  if (written.key !== null && written.key !== key)
    for (const name of ['clock', 'zoom']) if (written[name] === given[name]) given[name] = null;
  return given;
}

const short = number => String(+number.toFixed(3));
const zoomText = zoom => Object.entries(zoom).map(([panel, {x, y, scale}]) => [panel, ...[x, y, scale].map(short)].join()).join();

function writeAddress(s, gone = false) {
  if (!s.scene?.permalink) return;
  const moving = s.scene.T > 1, before = addressOf();
  const values = {
    clock: !moving ? before.clock : gone || s.k === (s.scene.start ?? 0) ? null : short(s.k / (s.scene.T - 1)),
    zoom: gone ? null : zoomText(s.zoom) || null,
    speed: s.speed === 1 ? null : String(s.speed),
    loop: s.loop === !!s.scene.loop ? null : String(s.loop),
  };
  if (KEPT.every(name => values[name] === before[name])) return;
  written = {path: location.pathname, key: s.scene.key, ...values};
  setParameters(values);
  document.dispatchEvent(new Event('stage-stands')); // those who follow a lecturer see that frame
}

// Stands as somebody else's picture does, whose address had these values.
function follow(s, event) {
  if (!s.scene?.permalink || !s.mounted) return;
  event.preventDefault(); // it is heard
  stand(s, event.detail);
  controls(s);
  refresh(s);
  keepAddress(s);
}

// The page may rewrite its address from what it knew before; put back what it lost, and what has changed meanwhile.
function keepAddress(s) {
  if (!s.scene.permalink) return;
  clearTimeout(s.keeping);
  s.keeping = setTimeout(() => s.playing || !s.mounted || writeAddress(s), 400);
}

// ---- mounting

const ICONS = {
  back: '<path class="solid" d="M14 5v14l-10-7z"/><path d="M18.5 5v14"/>', forward: '<path class="solid" d="M10 5v14l10-7z"/><path d="M5.5 5v14"/>',
  play: '<path class="solid" d="M8 5v14l11-7z"/>', pause: '<path class="solid" d="M7 5h3v14H7zM14 5h3v14h-3z"/>',
  loop: '<path d="M17 3l3.5 3.5L17 10M20 6.5H8a4.5 4.5 0 0 0-4.5 4.5v.5M7 21l-3.5-3.5L7 14M4 17.5h12a4.5 4.5 0 0 0 4.5-4.5v-.5"/>',
  whole: '<path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"/>', save: '<path d="M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4.5 20h15"/>',
};
const button = name => `<button type="button" class="${name}"><svg viewBox="0 0 24 24" aria-hidden="true">${ICONS[name]}</svg></button>`;
const BODY = `<div class="view"><canvas tabindex="0" role="application" aria-describedby="alt keys"></canvas>
<div class="readout" aria-hidden="true"></div></div><div class="controls" role="group">
<div class="clock">${button('back')}${button('play')}${button('forward')}
<input type="range" min="0" step="1"><output aria-hidden="true"></output>
<select><option value=".25">¼×</option><option value=".5">½×</option><option value="1" selected>1×</option><option value="2">2×</option><option value="4">4×</option></select>
${button('loop')}</div>${button('whole')}${button('save')}</div>
<p id="alt" class="hidden"></p><p id="keys" class="hidden"></p><p class="hidden" role="status"></p>`;

function mount(root) {
  const box = document.createElement('div');
  box.className = 'stage';
  box.innerHTML = `<style>${CSS}</style>${BODY}`;
  root.append(box);
  const get = selector => box.querySelector(selector);
  const s = {
    root, box, view: get('.view'), canvas: get('canvas'), slider: get('input'), label: get('output'), readout: get('.readout'), status: get('[role=status]'),
    pace: get('select'), group: get('[role=group]'),
    buttons: Object.fromEntries(Object.keys(ICONS).filter(n => n !== 'pause').map(n => [n, get(`.${n}`)])),
    k: 0, place: null, playing: false, speed: 1, loop: false, zoom: {}, probe: null, asked: undefined, told: '', sent: [], sentAt: 0, turn: 0n, pointers: new Map(),
    visible: true, raf: 0, due: 0, drawn: 0, frames: 0, ticks: 0, ms: [], mounted: performance.now(), off: new AbortController(),
  };
  s.context = s.canvas.getContext('2d');
  PLAYERS.set(root, s);
  listen(s, get);
  return s;
}

function listen(s, get) {
  const {signal} = s.off, on = (target, event, act, more = {}) => target.addEventListener(event, act, {signal, ...more});
  on(s.buttons.play, 'click', () => s.playing ? pause(s) : play(s));
  on(s.buttons.back, 'click', () => step(s, -1));
  on(s.buttons.forward, 'click', () => step(s, 1));
  on(s.buttons.loop, 'click', () => { s.loop = !s.loop; controls(s); keepAddress(s); });
  on(s.buttons.whole, 'click', () => { s.zoom = {}; refresh(s); keepAddress(s); });
  on(s.buttons.save, 'click', () => s.ask ? ask(s) : save(s));
  on(s.pace, 'change', event => { s.speed = +event.target.value; keepAddress(s); });
  on(s.slider, 'input', () => { s.playing = false; go(s, +s.slider.value); });
  on(s.slider, 'change', () => writeAddress(s));
  on(s.canvas, 'keydown', event => press(s, event));
  on(s.canvas, 'wheel', event => wheel(s, event), {passive: false});
  on(s.canvas, 'touchstart', event => touchStart(s, event), {passive: false});
  on(s.canvas, 'pointerdown', event => pointerDown(s, event));
  on(s.canvas, 'pointermove', event => pointerMove(s, event));
  for (const name of ['pointerup', 'pointercancel']) on(s.canvas, name, event => pointerUp(s, event));
  on(s.canvas, 'pointerleave', () => { s.readout.style.visibility = 'hidden'; });
  on(s.canvas, 'dblclick', () => { s.zoom = {}; refresh(s); keepAddress(s); });
  on(document, 'visibilitychange', () => refresh(s));
  on(document, 'stage-stand', event => follow(s, event));
  on(document, 'stage-address', () => writeAddress(s)); // whoever copies the address asks for the frame that is shown
  for (const event of ['beforeprint', 'afterprint'])
    on(window, event, () => { s.printed = event === 'beforeprint'; measure(s); draw(s); });
  on(window, 'resize', () => { measure(s); draw(s); });
  s.resizing = new ResizeObserver(() => { if (!s.printed && (s.box.clientWidth !== s.width || (s.look && roomFor(s).room !== s.room))) { measure(s); draw(s); } });
  s.resizing.observe(s.box);
  const page = document.querySelector('.stMainBlockContainer');
  if (page) s.resizing.observe(page); // a picture that fills the window makes room for what comes above it
  s.seeing = new IntersectionObserver(seen => { s.visible = seen.at(-1).isIntersecting; refresh(s); });
  s.seeing.observe(s.canvas);
}

function unmount(s) {
  if (s.scene) {
    LEFT.set(s.scene.key, {place: placeOf(s, s.scene), zoom: s.zoom, restart: s.scene.restart, path: location.pathname, at: performance.now()});
    writeAddress(s, true);
  }
  cancelAnimationFrame(s.raf);
  clearTimeout(s.keeping);
  s.off.abort();
  s.resizing.disconnect();
  s.seeing.disconnect();
  s.mounted = 0;
  s.box.remove();
  PLAYERS.delete(s.root);
}

// ---- drawing

function luminance(colour) {
  const probe = luminance.context ??= Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return {r, g, b, light: 0.2126 * r + 0.7152 * g + 0.0722 * b > 128};
}

// Colours, font and text scale, from the theme the page has now.
function appearance(s) {
  const css = getComputedStyle(s.box), paper = s.printed ? '#fff' : css.getPropertyValue('--st-background-color').trim() || '#fff';
  const text = s.printed ? '#222' : css.getPropertyValue('--st-text-color').trim() || '#222', name = luminance(paper).light ? 'light' : 'dark';
  const id = `${paper} ${text} ${css.fontFamily}`;
  if (s.look?.id !== id) {
    const {r, g, b} = luminance(text), ramp = mix(RAMPS[name].map(luminance)), table = new Uint32Array(256);
    for (let i = 1; i < 256; i++) { const [R, G, B] = ramp((i - 1) / 254); table[i] = 0xff000000 | B << 16 | G << 8 | R; }
    s.look = {id, name, paper, table, font: css.fontFamily, ink: a => `rgba(${r},${g},${b},${a})`,
      colour: role => ROLES[role][name === 'dark' ? 1 : 0], ramp: v => `rgb(${ramp(v)})`};
  }
  const tall = clamp(Math.min(innerHeight / 800, innerWidth / 1000), 1, 1.4), presented = isPresented(s), unit = presented ? 0.875 * rem() / SMALLEST : tall;
  return Object.assign(s.look, {unit, floor: presented ? SMALLEST : 0, least: Math.min(150 * tall, 0.32 * innerWidth), ratio: s.printed ? 3 : devicePixelRatio || 1});
}

// In a presentation no text is smaller than the page's small print, 0.875 rem.
const isPresented = s => !!getComputedStyle(s.box).getPropertyValue('--stage-presented');
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

const mix = stops => v => {
  const i = Math.min(stops.length - 2, Math.floor(v * (stops.length - 1))), f = v * (stops.length - 1) - i, a = stops[i], b = stops[i + 1];
  return [a.r + f * (b.r - a.r), a.g + f * (b.g - a.g), a.b + f * (b.b - a.b)].map(Math.round);
};

function measure(s) {
  s.width = s.printed ? PAPER : s.box.clientWidth;
  if (!s.width || !s.scene) return;
  const look = appearance(s);
  s.context.setTransform(1, 0, 0, 1, 0, 0);
  s.context.font = `${LEGEND * look.unit}px ${look.font}`;
  s.box.style.setProperty('--unit', look.unit);
  const {room, least, floor, ...more} = roomFor(s), wide = text => s.context.measureText(text).width;
  s.room = room;
  // On a phone a caption that is wider than its place goes on in a second line.
  for (const p of s.scene.panels) p.widest = s.width < PHONE ? Math.max(...[p.caption ?? ''].flat().map(wide)) : 0;
  Object.assign(s.scene, {floor, folds: false, title: 1.08 * Math.max(...s.scene.panels.map(p => wide(p.title)))}); // in bold
  s.height = Math.round(layout(s.scene, s.width, room, look.unit, least, more, wide) - (more.centred ? spare(s.scene.panels, look.unit) : 0));
  const w = Math.round(s.width * look.ratio), h = Math.round(s.height * look.ratio);
  if (s.canvas.width !== w || s.canvas.height !== h) Object.assign(s.canvas, {width: w, height: h});
  s.canvas.style.height = `${s.height}px`;
  // What the width limits stands in the middle of a presented window, with its clock at the lower edge.
  s.view.style.marginBlock = more.centred ? `${Math.max(0, Math.floor((room - s.height) / 2))}px` : '';
}

// The height that a picture may take, the least of its plots, and the height of a row of panels if the scene says it.
function roomFor(s) {
  const host = s.root.host ?? s.root;
  const part = parseFloat(getComputedStyle(host).getPropertyValue('--stage-part')); // of the window, in a file that stands alone
  if (part) return {room: part * innerHeight - s.group.offsetHeight, least: 0};
  if (s.printed) return {room: PAPER, least: s.look.least, fixed: s.scene.height};
  if (isPresented(s)) {
    const {height, charts} = below(s), room = innerHeight - above(s) - s.group.offsetHeight - height;
    return {room: Math.max(0.4 * innerHeight, room), least: 0, loose: TIGHT, gain: 1.05, centred: !charts};
  }
  const around = s.scene.panels.length > 5 ? 294 : 340; // many small panels take what is left; below fewer, notes begin
  const whole = Math.max(0.54 * innerHeight, innerHeight - around * rem() / 16);
  if (innerWidth > NARROW) return {room: whole, least: s.look.least, fixed: s.scene.height};
  // With nothing beside it, the picture and the bar below it end where the window does, if that leaves enough.
  const left = innerHeight - above(s) - s.group.offsetHeight, room = Math.max(0.54 * innerHeight, Math.min(whole, left));
  if (s.width >= PHONE) return {room, least: s.look.least, fixed: s.scene.height};
  return {room: Math.max(0.45 * innerHeight, left), least: 0, floor: 0.33};
}

// The height of what stands above the player, wherever the page is scrolled to.
const above = s => s.box.getBoundingClientRect().top - (document.querySelector('.stMainBlockContainer')?.getBoundingClientRect().top ?? 0);

// The height of what stands below the player in the same picture, and how many charts are there: each takes what is left.
function below(s) {
  const picture = (s.root.host ?? s.root).closest('.st-key-picture');
  if (!picture) return {height: 0, charts: 0};
  const charts = [...picture.querySelectorAll('.js-plotly-plot')], own = picture.getBoundingClientRect();
  const height = own.bottom - s.box.getBoundingClientRect().bottom - charts.reduce((sum, chart) => sum + chart.offsetHeight - CHART * rem(), 0);
  return {height: clamp(height, 0, 0.35 * innerHeight), charts: charts.length};
}

function draw(s) {
  controls(s);
  if (!s.width || !s.scene) return;
  const start = performance.now();
  render(s, s.context, s.look.ratio);
  s.ms.push(performance.now() - start);
  if (s.ms.length > 500) s.ms.shift();
  s.drawn++;
}

function render(s, context, ratio) {
  for (const p of s.scene.panels) p.view = view(p, s.zoom[p.group]);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, s.width, s.height);
  paint(context, s.scene, s.k, s.probe, {...s.look, ratio});
}

// A zoom is a scale and a centre in fractions of the panel's own view, so that it survives new limits.
function view(p, zoom = {x: 0.5, y: 0.5, scale: 1}) {
  const w = p.x[1] - p.x[0], h = p.y[1] - p.y[0], f = 0.5 / zoom.scale;
  return {x0: p.x[0] + (zoom.x - f) * w, x1: p.x[0] + (zoom.x + f) * w, y0: p.y[0] + (zoom.y - f) * h, y1: p.y[0] + (zoom.y + f) * h};
}

const clockName = ({scene, k}) => Array.isArray(scene.label) ? scene.label[k] : scene.label;

const clockText = s => {
  const {scene, k} = s;
  return scene.clock ? `${clockName(s)} = ${format(scene.clock[k], scene.digits, scene.whole)}` : `${k + 1} / ${scene.T}`;
};

function controls(s) {
  const {scene, buttons, slider} = s, one = scene.T < 2, text = clockText(s);
  slider.parentElement.hidden = one;
  slider.max = scene.T - 1;
  slider.value = s.k;
  slider.style.setProperty('--at', `${100 * s.k / Math.max(1, scene.T - 1)}%`);
  slider.setAttribute('aria-label', scene.clock ? clockName(s) : scene.words.frame);
  slider.setAttribute('aria-valuetext', fill(scene.words.clock, {value: text, frame: s.k + 1, frames: scene.T}));
  s.label.textContent = text;
  if (buttons.play.dataset.playing !== String(s.playing)) {
    buttons.play.dataset.playing = s.playing;
    buttons.play.firstElementChild.innerHTML = ICONS[s.playing ? 'pause' : 'play'];
  }
  name(buttons.play, scene.words[s.playing ? 'pause' : 'play']);
  buttons.loop.setAttribute('aria-pressed', s.loop);
  buttons.whole.disabled = !Object.keys(s.zoom).length;
}

// What a pointer that rests on a control shows, and a screen reader says of it.
function name(control, text) {
  if (control.title === text) return;
  control.title = text;
  control.setAttribute('aria-label', text);
}

function describe(s) {
  const {scene} = s, {words} = scene, probes = scene.panels.some(p => movable(s, p));
  for (const part of ['back', 'forward', 'loop', 'whole']) name(s.buttons[part], words[part]);
  name(s.buttons.save, words[s.ask ? 'export' : 'save']);
  name(s.pace, words.speed);
  s.group.setAttribute('aria-label', words.player);
  s.canvas.setAttribute('aria-roledescription', words.role);
  s.canvas.setAttribute('aria-label', scene.panels.map(p => p.title).filter(Boolean).join(', ') || words.figure);
  s.box.querySelector('#alt').textContent = scene.alt;
  s.box.querySelector('#keys').textContent = probes ? `${words.keys} ${words.keys_probe}` : words.keys;
}

// ---- the clock

const hold = s => !s.visible || document.hidden || !s.mounted;

// Asks for one more animation frame, unless nobody could see it.
function refresh(s) {
  if (!s.raf && !hold(s)) s.raf = requestAnimationFrame(now => tick(s, now));
}

function tick(s, now) {
  s.raf = 0;
  s.frames++;
  if (hold(s)) return;
  const moved = s.playing && advance(s, now);
  if (!s.playing || moved) draw(s);
  if (s.playing) refresh(s);
}

// With reduced motion the clock moves in a few slow, separate steps.
function advance(s, now) {
  const {T} = s.scene, period = still.matches ? 700 / s.speed : 1000 / (s.fps * s.speed);
  if (!s.due || now > s.due + 1000) s.due = now;
  if (now < s.due) return false;
  const hops = 1 + Math.floor((now - s.due) / period), stride = still.matches ? Math.ceil(T / 24) : hops;
  s.due += hops * period;
  if (s.k === T - 1) s.k = 0;
  else s.k = Math.min(T - 1, s.k + stride);
  if (s.k === T - 1) {
    if (s.loop) s.due += 700; // rest at the end before the next round
    else pause(s);
  }
  return true;
}

function play(s) {
  if (s.scene.T < 2) return;
  if (s.k === s.scene.T - 1) s.k = 0;
  s.playing = true;
  s.due = 0;
  controls(s);
  refresh(s);
}

function pause(s, note = true) {
  s.playing = false;
  controls(s);
  refresh(s);
  if (note) writeAddress(s);
}

function go(s, k) {
  s.k = clamp(k, 0, s.scene.T - 1);
  refresh(s);
}

function step(s, by) {
  pause(s, false);
  go(s, s.k + by);
  controls(s);
  writeAddress(s);
}

// ---- save

// Asks Python for a file of what is shown, with the frame that the clock is at.
function ask(s) {
  pause(s);
  s.ask({frame: s.k, zoom: s.zoom});
}

// The whole stage as it stands, with its background and the clock's value, at twice the resolution or more.
function save(s) {
  const ratio = Math.max(2, devicePixelRatio || 1), foot = s.scene.T > 1 ? 30 * s.look.unit : 0;
  const sheet = Object.assign(document.createElement('canvas'), {width: Math.round(s.width * ratio), height: Math.round((s.height + foot) * ratio)});
  const c = sheet.getContext('2d');
  render(s, c, ratio);
  if (foot) write(c, clockText(s), s.width - 12, s.height + 18 * s.look.unit, s.look, 14, 'right', 0.85);
  c.globalCompositeOperation = 'destination-over';
  c.setTransform(1, 0, 0, 1, 0, 0);
  c.fillStyle = s.look.paper;
  c.fillRect(0, 0, sheet.width, sheet.height);
  sheet.toBlob(blob => {
    const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(blob), download: `${s.scene.key}-${s.k}.png`});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}
