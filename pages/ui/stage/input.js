// Keyboard, wheel and pointer: they step the clock, zoom and pan the axes, and move the probe.

// ---- keyboard

function press(s, event) {
  const arrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1]};
  const way = arrows[event.key];
  const act = way && (event.shiftKey || event.altKey) ? () => nudge(s, ...way)
    : event.ctrlKey || event.metaKey || event.altKey ? null
    : way ? () => step(s, way[0] + way[1])
    : {' ': () => s.playing ? pause(s) : play(s), Home: () => step(s, -s.scene.T), End: () => step(s, s.scene.T),
      '+': () => zoomAll(s, 1.25), '=': () => zoomAll(s, 1.25), '-': () => zoomAll(s, 0.8), '0': () => { s.zoom = {}; refresh(s); keepAddress(s); }}[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function nudge(s, dx, dy) {
  const p = s.scene.panels.find(p => movable(s, p));
  if (!p) return;
  const from = s.probe ? [axis(s.probe[0], p.xlog), axis(s.probe[1], p.ylog)] : [(p.view.x0 + p.view.x1) / 2, (p.view.y0 + p.view.y1) / 2];
  const moved = s.probe ? [from[0] + dx * (p.view.x1 - p.view.x0) / 40, from[1] + dy * (p.view.y1 - p.view.y0) / 40] : from;
  setProbe(s, p, clamp(moved[0], p.view.x0, p.view.x1), clamp(moved[1], p.view.y0, p.view.y1));
  clearTimeout(s.settle);
  s.settle = setTimeout(() => {
    report(s, true);
    s.status.textContent = fill(s.scene.words.probe, {x: format(s.probe[0]), y: format(s.probe[1])});
  }, 250);
}

function zoomAll(s, by) {
  for (const p of s.scene.panels) if (p.group === p.index && !isPicture(p)) zoomAt(s, p, p.plot.x + p.plot.w / 2, p.plot.y + p.plot.h / 2, by);
}

// ---- pointer

const axis = (v, log) => log ? Math.log10(v) : v;
const value = (v, log) => log ? 10 ** v : v;

const movable = (s, p) => p.probe && s.send;
const panelAt = (s, x, y) => s.scene.panels.find(({plot}) => x >= plot.x && x <= plot.x + plot.w && y >= plot.y && y <= plot.y + plot.h);

// What is under the pointer stays under it.
function zoomAt(s, p, x, y, by) {
  const old = s.zoom[p.group] ?? {x: 0.5, y: 0.5, scale: 1}, scale = clamp(old.scale * by, 0.1, 100);
  const fx = (x - p.plot.x) / p.plot.w - 0.5, fy = 0.5 - (y - p.plot.y) / p.plot.h;
  s.zoom[p.group] = {x: old.x + fx / old.scale - fx / scale, y: old.y + fy / old.scale - fy / scale, scale};
  if (Math.abs(scale - 1) < 0.02 && by < 1) delete s.zoom[p.group];
  refresh(s);
  keepAddress(s);
}

function panBy(s, p, dx, dy) {
  const old = s.zoom[p.group] ?? {x: 0.5, y: 0.5, scale: 1};
  s.zoom[p.group] = {...old, x: old.x - dx / p.plot.w / old.scale, y: old.y + dy / p.plot.h / old.scale};
  refresh(s);
  keepAddress(s);
}

function wheel(s, event) {
  const p = panelAt(s, event.offsetX, event.offsetY);
  const wanted = event.ctrlKey || event.shiftKey || s.root.activeElement === s.canvas;
  if (!p || isPicture(p) || !wanted) return;
  event.preventDefault();
  zoomAt(s, p, event.offsetX, event.offsetY, Math.exp(-clamp(event.deltaY || event.deltaX, -60, 60) * (event.ctrlKey ? 0.01 : 0.004)));
}

// A finger on the probe drags it. Beside it a finger may be scrolling the page, and places the probe where it is lifted.
function touchStart(s, event) {
  const {left, top} = s.canvas.getBoundingClientRect(), [{clientX, clientY}, second] = event.touches;
  if (!second && onProbe(s, clientX - left, clientY - top)) event.preventDefault();
}

function onProbe(s, x, y) {
  const p = s.probe && panelAt(s, x, y);
  return p && movable(s, p) && Math.hypot(x - toX(p, axis(s.probe[0], p.xlog)), y - toY(p, axis(s.probe[1], p.ylog))) < 30;
}

function pointerDown(s, event) {
  if (event.button) return;
  const p = panelAt(s, event.offsetX, event.offsetY);
  if (!p || isPicture(p)) return;
  s.canvas.setPointerCapture(event.pointerId);
  s.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
  s.drag = {p, pans: event.shiftKey || !movable(s, p) || s.pointers.size > 1};
  const scrolls = event.pointerType === 'touch' && !onProbe(s, event.offsetX, event.offsetY);
  if (!s.drag.pans && !scrolls) place(s, event, false);
}

function pointerMove(s, event) {
  const at = s.pointers.get(event.pointerId), now = [event.offsetX, event.offsetY];
  hover(s, event);
  if (!at) return;
  s.pointers.set(event.pointerId, now);
  if (s.pointers.size > 1) return pinch(s, event.pointerId, at, now);
  if (s.drag.pans) panBy(s, s.drag.p, now[0] - at[0], now[1] - at[1]);
  else place(s, event, false);
}

function pointerUp(s, event) {
  if (!s.pointers.delete(event.pointerId) || s.pointers.size || s.drag.pans) return;
  if (event.type === 'pointerup') place(s, event, true);
  else report(s, true); // the page scrolls
}

function pinch(s, id, before, now) {
  const [other] = [...s.pointers].filter(([key]) => key !== id).map(([, at]) => at);
  const far = ([x, y]) => Math.max(10, Math.hypot(x - other[0], y - other[1]));
  zoomAt(s, s.drag.p, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2, far(now) / far(before));
}

function place(s, event, last) {
  const {p} = s.drag, {plot} = p;
  setProbe(s, p, fromX(p, clamp(event.offsetX, plot.x, plot.x + plot.w)), fromY(p, clamp(event.offsetY, plot.y, plot.y + plot.h)));
  report(s, last);
}

function setProbe(s, p, x, y) {
  s.probe = [value(x, p.xlog), value(y, p.ylog)].map(v => +v.toFixed(4));
  refresh(s);
}

// Tells Python where the probe is: at most four times a second while it is dragged, and at its end.
function report(s, last) {
  const text = JSON.stringify(s.probe), now = performance.now();
  if (text === s.told || (!last && now - s.sentAt < 250)) return;
  s.told = text;
  s.sent.push(text);
  s.sentAt = now;
  s.send(s.probe);
}
