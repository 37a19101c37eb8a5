// A square canvas to draw on. Strokes are lists of [x, y] in [0, 1], y upwards; Python hears of them at the end of a stroke.

const BRUSHES = new WeakMap();
const LEAST = 0.006; // a stroke takes a new vertex after this distance

const STYLE = `
.brush { font-family: var(--st-font); color: var(--st-text-color); --line: color-mix(in srgb, var(--st-text-color) 22%, transparent); }
canvas { display: block; touch-action: none; cursor: crosshair; outline: none; border: 1px solid var(--line); border-radius: 8px; }
canvas:focus-visible { box-shadow: 0 0 0 2px var(--st-background-color), 0 0 0 4px var(--st-primary-color); }
.controls { display: flex; gap: 6px; align-items: center; margin-top: 6px; font-size: 14px; }
button { height: 32px; padding: 0 12px; border: 1px solid var(--line); border-radius: 6px; background: none; color: inherit; font: inherit; cursor: pointer; }
button:hover:enabled { background: color-mix(in srgb, var(--st-text-color) 9%, transparent); }
button:disabled { opacity: .4; cursor: default; }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }`;

const BODY = `<canvas tabindex="0" role="application" aria-describedby="keys"></canvas>
<div class="controls"><button type="button" class="undo"></button><button type="button" class="clear"></button><span class="count"></span></div>
<p id="keys" class="hidden"></p>
<p class="hidden" role="status"></p>`;

export default function ({data, parentElement: root, setStateValue}) {
  if (!data) return;
  const s = BRUSHES.get(root) ?? mount(root);
  s.send = strokes => setStateValue('strokes', strokes);
  const given = JSON.stringify(data.strokes);
  const echo = s.sent.indexOf(given);
  if (echo >= 0) s.sent = s.sent.slice(echo + 1); // Python repeats what it was told; the learner may be further by now
  else if (given !== s.given) s.strokes = data.strokes;
  s.given = given;
  s.size = data.height;
  name(s, data.words);
  fit(s);
  return () => root.isConnected || unmount(s, root); // called as well, and late, for a drawing that stays
}

function name(s, words) {
  s.words = words;
  s.canvas.setAttribute('aria-label', words.label);
  s.canvas.setAttribute('aria-roledescription', words.role);
  for (const part of ['undo', 'clear', 'keys']) s[part].textContent = words[part];
}

const fill = (sentence, values) => sentence.replace(/%{(\w+)}/g, (_, key) => values[key]);

function unmount(s, root) {
  s.off.abort();
  s.resizing.disconnect();
  s.box.remove();
  BRUSHES.delete(root);
}

function mount(root) {
  const box = Object.assign(document.createElement('div'), {className: 'brush', innerHTML: `<style>${STYLE}</style>${BODY}`});
  root.append(box);
  const get = selector => box.querySelector(selector);
  const s = {box, canvas: get('canvas'), undo: get('.undo'), clear: get('.clear'), keys: get('#keys'), count: get('.count'), status: get('[role=status]'),
    strokes: [], sent: [], pen: null, line: null, pointer: null, off: new AbortController()};
  const on = (target, event, act) => target.addEventListener(event, act, {signal: s.off.signal});
  on(s.canvas, 'pointerdown', event => begin(s, event));
  on(s.canvas, 'pointermove', event => event.pointerId === s.pointer && extend(s, event));
  for (const name of ['pointerup', 'pointercancel']) on(s.canvas, name, event => event.pointerId === s.pointer && end(s));
  on(s.canvas, 'keydown', event => press(s, event));
  on(s.canvas, 'focus', () => { if (s.canvas.matches(':focus-visible')) { s.pen ??= [0.5, 0.5]; draw(s); } });
  on(s.canvas, 'blur', () => { if (s.line) end(s); s.pen = null; draw(s); });
  on(s.undo, 'click', () => change(s, s.strokes.slice(0, -1)));
  on(s.clear, 'click', () => change(s, []));
  s.resizing = new ResizeObserver(() => box.clientWidth !== s.width && fit(s));
  s.resizing.observe(box);
  BRUSHES.set(root, s);
  return s;
}

function change(s, strokes) {
  s.line = null;
  s.strokes = strokes;
  draw(s);
  report(s);
}

function report(s) {
  s.sent.push(JSON.stringify(s.strokes));
  s.send(s.strokes);
}

// ---- pointer

const inside = v => +Math.min(1, Math.max(0, v)).toFixed(3);
const spot = (s, event) => [inside(event.offsetX / s.side), inside(1 - event.offsetY / s.side)];

function begin(s, event) {
  if (event.button || s.pointer !== null) return;
  s.pointer = event.pointerId;
  s.canvas.setPointerCapture(event.pointerId);
  s.line = [spot(s, event)];
  s.strokes = [...s.strokes, s.line];
  draw(s);
}

function extend(s, event) {
  for (const each of event.getCoalescedEvents?.() ?? [event]) {
    const [x, y] = spot(s, each), [x0, y0] = s.line.at(-1);
    if (Math.hypot(x - x0, y - y0) >= LEAST) s.line.push([x, y]);
  }
  draw(s);
}

function end(s) {
  s.pointer = s.line = null;
  draw(s);
  report(s);
}

// ---- keyboard

function press(s, event) {
  const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1]}[event.key];
  const act = way ? () => move(s, way, event.shiftKey ? 0.1 : 0.02)
    : {' ': () => drop(s), Enter: () => s.line && end(s), Escape: () => s.line && end(s),
      Backspace: () => change(s, s.strokes.slice(0, -1)), Delete: () => change(s, s.strokes.slice(0, -1))}[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

function move(s, [dx, dy], step) {
  const [x, y] = s.pen ?? [0.5, 0.5];
  s.pen = [inside(x + dx * step), inside(y + dy * step)];
  draw(s);
}

function drop(s) {
  s.pen ??= [0.5, 0.5];
  if (s.line) s.line.push(s.pen);
  else s.strokes = [...s.strokes, s.line = [s.pen]];
  s.status.textContent = fill(s.words.point, {place: s.pen.join(', ')});
  draw(s);
}

// ---- drawing

function fit(s) {
  s.width = s.box.clientWidth;
  if (!s.width) return;
  const ratio = devicePixelRatio || 1;
  s.side = Math.min(s.size, s.width - 2);
  s.canvas.width = s.canvas.height = Math.round(s.side * ratio);
  s.canvas.style.width = s.canvas.style.height = `${s.side + 2}px`;
  draw(s);
}

function isDark(colour) {
  const c = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
  c.fillStyle = colour;
  c.fillRect(0, 0, 1, 1);
  const [r, g, b] = c.getImageData(0, 0, 1, 1).data;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 128;
}

function draw(s) {
  const total = s.strokes.reduce((sum, stroke) => sum + stroke.length, 0);
  s.undo.disabled = s.clear.disabled = !total;
  const count = s.strokes.length;
  s.count.textContent = total ? fill(s.words.lines[count === 1 ? 'one' : 'other'], {count}) : '';
  if (!s.side) return;
  const c = s.canvas.getContext('2d'), css = getComputedStyle(s.box), {side} = s, ink = css.color;
  c.setTransform(s.canvas.width / side, 0, 0, s.canvas.width / side, 0, 0);
  c.clearRect(0, 0, side, side);
  grid(c, side, ink);
  if (!total) hint(c, side, ink, css.fontFamily, s.words.hint);
  c.strokeStyle = c.fillStyle = isDark(css.getPropertyValue('--st-background-color').trim() || '#fff') ? DARK : LIGHT;
  c.lineWidth = 4;
  c.lineCap = c.lineJoin = 'round';
  for (const stroke of s.strokes) trace(c, stroke, side);
  if (s.pen) cursor(c, s.pen, side, ink);
}

function grid(c, side, ink) {
  c.globalAlpha = 0.08;
  c.strokeStyle = ink;
  c.lineWidth = 1;
  c.beginPath();
  for (const f of [0.25, 0.5, 0.75]) { c.moveTo(f * side, 0); c.lineTo(f * side, side); c.moveTo(0, f * side); c.lineTo(side, f * side); }
  c.stroke();
  c.globalAlpha = 1;
}

function hint(c, side, ink, font, words) {
  c.globalAlpha = 0.65;
  c.fillStyle = ink;
  c.font = `16px ${font}`;
  c.textAlign = 'center';
  c.fillText(words, side / 2, side / 2 - 12);
  c.globalAlpha = 1;
}

function trace(c, stroke, side) {
  c.beginPath();
  const [[x0, y0]] = stroke;
  c.moveTo(x0 * side, (1 - y0) * side);
  for (const [x, y] of stroke) c.lineTo(x * side, (1 - y) * side);
  c.stroke();
}

function cursor(c, [x, y], side, ink) {
  c.strokeStyle = ink;
  c.lineWidth = 1.5;
  c.beginPath();
  for (const [dx, dy] of [[1, 0], [0, 1]]) {
    c.moveTo(x * side - 10 * dx, (1 - y) * side - 10 * dy);
    c.lineTo(x * side + 10 * dx, (1 - y) * side + 10 * dy);
  }
  c.stroke();
}
