// A grid to paint on. Pixels are one digit each, row by row from the top; Python hears of them at the end of a stroke.

const BRUSHES = new WeakMap();
const SIDE = 16; // pixels, as people have
const SIZES = [1, 2, 4]; // pixels that a pen is wide
const [SKIN, THICK] = [2, 2]; // the colour and the pen that one begins with
const MOST_UNDONE = 100; // strokes

const STYLE = `
.pixels { font-family: var(--st-font); color: var(--st-text-color); font-size: 14px; --line: color-mix(in srgb, var(--st-text-color) 22%, transparent); }
canvas { display: block; touch-action: none; cursor: crosshair; outline: none; border: 1px solid var(--line); border-radius: 8px; }
canvas:focus-visible, button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.row { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin-top: 6px; }
button { height: 32px; padding: 0 12px; border: 1px solid var(--line); border-radius: 6px; background: none; color: inherit; font: inherit; cursor: pointer; }
button:hover:enabled { background: color-mix(in srgb, var(--st-text-color) 9%, transparent); }
button:disabled { opacity: .4; cursor: default; }
.colours { display: grid; grid-template-columns: repeat(7, 28px); }
.colours button { width: 28px; height: 28px; padding: 0; background: var(--paint) !important; }
.pens { display: flex; gap: 6px; }
.pens button { width: 32px; padding: 0; display: grid; place-items: center; }
.pens i { background: currentColor; }
[aria-pressed=true] { box-shadow: 0 0 0 2px var(--st-background-color), 0 0 0 4px var(--st-primary-color); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }`;

const BODY = `<canvas tabindex="0" role="application" aria-describedby="keys"></canvas>
<div class="row colours" role="group"></div>
<div class="row"><span class="pens" role="group"></span><button type="button" class="undo"></button><button type="button" class="clear"></button></div>
<p id="keys" class="hidden"></p>
<p class="hidden" role="status"></p>`;

export default function ({data, parentElement: root, setStateValue}) {
  if (!data) return;
  const s = BRUSHES.get(root) ?? mount(root);
  s.send = pixels => setStateValue('pixels', pixels);
  const echo = s.sent.indexOf(data.pixels);
  if (echo >= 0) s.sent = s.sent.slice(echo + 1); // Python repeats what it was told; the learner may be further by now
  else if (data.pixels !== s.given) s.pixels = read(data.pixels);
  s.given = data.pixels;
  s.size = data.size;
  name(s, data.words);
  fit(s);
  return () => root.isConnected || unmount(s, root); // called as well, and late, for a painting that stays
}

const read = written => [...written].map(digit => DIGITS.indexOf(digit));
const written = pixels => pixels.map(paint => DIGITS[paint]).join('');
const fill = (sentence, values) => sentence.replace(/%{(\w+)}/g, (_, key) => values[key]);

function name(s, words) {
  s.words = words;
  s.canvas.setAttribute('aria-label', words.label);
  s.canvas.setAttribute('aria-roledescription', words.role);
  for (const part of ['undo', 'clear', 'keys']) s[part].textContent = words[part];
  s.colours.setAttribute('aria-label', words.colours);
  s.pens.setAttribute('aria-label', words.pens);
  [...s.colours.children].forEach((button, k) => label(button, words.names[k]));
  [...s.pens.children].forEach((button, k) => label(button, fill(words.pen, {size: SIZES[k]})));
}

function label(button, words) {
  button.title = words;
  button.setAttribute('aria-label', words);
}

function unmount(s, root) {
  s.off.abort();
  s.resizing.disconnect();
  s.box.remove();
  BRUSHES.delete(root);
}

function mount(root) {
  const box = Object.assign(document.createElement('div'), {className: 'pixels', innerHTML: `<style>${STYLE}</style>${BODY}`});
  root.append(box);
  const get = selector => box.querySelector(selector);
  const s = {box, canvas: get('canvas'), undo: get('.undo'), clear: get('.clear'), keys: get('#keys'), status: get('[role=status]'),
    colours: get('.colours'), pens: get('.pens'), pixels: [], past: [], sent: [], paint: SKIN, width: THICK, pen: null, pointer: null, last: null,
    off: new AbortController()};
  const on = (target, event, act) => target.addEventListener(event, act, {signal: s.off.signal});
  on(s.canvas, 'pointerdown', event => begin(s, event));
  on(s.canvas, 'pointermove', event => event.pointerId === s.pointer && extend(s, event));
  for (const event of ['pointerup', 'pointercancel']) on(s.canvas, event, ({pointerId}) => pointerId === s.pointer && end(s));
  on(s.canvas, 'keydown', event => press(s, event));
  on(s.canvas, 'focus', () => { if (s.canvas.matches(':focus-visible')) { s.pen ??= [SIDE / 2, SIDE / 2]; draw(s); } });
  on(s.canvas, 'blur', () => { s.pen = null; draw(s); });
  on(s.undo, 'click', () => undo(s));
  on(s.clear, 'click', () => change(s, () => s.pixels.fill(0)));
  PAINTS.forEach((colour, k) => {
    const button = s.colours.appendChild(Object.assign(document.createElement('button'), {type: 'button'}));
    button.style.setProperty('--paint', colour);
    on(button, 'click', () => { s.paint = k; draw(s); });
  });
  SIZES.forEach(size => {
    const button = s.pens.appendChild(Object.assign(document.createElement('button'), {type: 'button'}));
    button.innerHTML = `<i style="width:${4 * size}px;height:${4 * size}px"></i>`;
    on(button, 'click', () => { s.width = size; draw(s); });
  });
  s.resizing = new ResizeObserver(() => box.clientWidth !== s.room && fit(s));
  s.resizing.observe(box);
  BRUSHES.set(root, s);
  return s;
}

// ---- changes

function remember(s) {
  s.past = [...s.past, [...s.pixels]].slice(-MOST_UNDONE);
}

function change(s, act) {
  remember(s);
  act();
  report(s);
}

function undo(s) {
  if (!s.past.length) return;
  s.pixels = s.past.pop();
  report(s);
}

function report(s) {
  draw(s);
  const now = written(s.pixels);
  s.sent.push(now);
  s.send(now);
}

// Paint the square of the pen around the place [column, row].
function dab(s, [column, row]) {
  const [left, top] = [column, row].map(at => at - Math.floor((s.width - 1) / 2));
  for (let y = Math.max(0, top); y < Math.min(SIDE, top + s.width); y++)
    for (let x = Math.max(0, left); x < Math.min(SIDE, left + s.width); x++) s.pixels[y * SIDE + x] = s.paint;
}

// ---- pointer

const within = at => Math.min(SIDE - 1, Math.max(0, Math.floor(at)));
const spot = (s, event) => [within(event.offsetX / s.side * SIDE), within(event.offsetY / s.side * SIDE)];

function begin(s, event) {
  if (event.button || s.pointer !== null) return;
  s.pointer = event.pointerId;
  s.canvas.setPointerCapture(event.pointerId);
  remember(s);
  s.last = spot(s, event);
  dab(s, s.last);
  draw(s);
}

function extend(s, event) {
  for (const each of event.getCoalescedEvents?.() ?? [event]) {
    const to = spot(s, each), steps = Math.max(...to.map((at, k) => Math.abs(at - s.last[k])));
    for (let k = 1; k <= steps; k++) dab(s, to.map((at, axis) => Math.round(s.last[axis] + (at - s.last[axis]) * k / steps)));
    s.last = to;
  }
  draw(s);
}

function end(s) {
  s.pointer = s.last = null;
  report(s);
}

// ---- keyboard

function press(s, event) {
  const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]}[event.key];
  const act = way ? () => move(s, way, event.shiftKey ? 4 : 1)
    : {' ': () => change(s, () => dab(s, s.pen ??= [SIDE / 2, SIDE / 2])), Backspace: () => undo(s), Delete: () => undo(s)}[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

function move(s, [dx, dy], step) {
  const [x, y] = s.pen ?? [SIDE / 2, SIDE / 2];
  s.pen = [within(x + dx * step), within(y + dy * step)];
  const [column, row] = s.pen, colour = s.words.names[s.pixels[row * SIDE + column]];
  s.status.textContent = fill(s.words.pixel, {row: row + 1, column: column + 1, colour});
  draw(s);
}

// ---- drawing

function fit(s) {
  s.room = s.box.clientWidth;
  if (!s.room) return;
  const ratio = devicePixelRatio || 1;
  s.side = Math.min(s.size, s.room - 2);
  s.canvas.width = s.canvas.height = Math.round(s.side * ratio);
  s.canvas.style.width = s.canvas.style.height = `${s.side + 2}px`;
  draw(s);
}

function draw(s) {
  s.undo.disabled = !s.past.length;
  s.clear.disabled = s.pixels.every(paint => !paint);
  [...s.colours.children].forEach((button, k) => button.setAttribute('aria-pressed', k === s.paint));
  [...s.pens.children].forEach((button, k) => button.setAttribute('aria-pressed', SIZES[k] === s.width));
  if (!s.side) return;
  const c = s.canvas.getContext('2d'), cell = s.canvas.width / SIDE;
  c.setTransform(1, 0, 0, 1, 0, 0);
  s.pixels.forEach((paint, k) => {
    c.fillStyle = PAINTS[paint];
    c.fillRect(Math.floor(k % SIDE * cell), Math.floor(Math.floor(k / SIDE) * cell), Math.ceil(cell), Math.ceil(cell));
  });
  c.strokeStyle = 'rgba(0, 0, 0, .14)';
  c.lineWidth = 1;
  c.beginPath();
  for (let k = 1; k < SIDE; k++) { c.moveTo(k * cell, 0); c.lineTo(k * cell, SIDE * cell); c.moveTo(0, k * cell); c.lineTo(SIDE * cell, k * cell); }
  c.stroke();
  if (s.clear.disabled) hint(c, s, cell);
  if (s.pen) {
    c.strokeStyle = '#000';
    c.lineWidth = 3;
    c.strokeRect(s.pen[0] * cell, s.pen[1] * cell, cell, cell);
  }
}

function hint(c, s, cell) {
  c.fillStyle = 'rgba(0, 0, 0, .7)'; // the ground is light in every theme
  c.font = `${1.1 * cell}px ${getComputedStyle(s.box).fontFamily}`;
  c.textAlign = 'center';
  c.fillText(s.words.hint, SIDE / 2 * cell, SIDE / 2 * cell);
}
