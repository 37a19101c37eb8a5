// Where everything goes: numbers and sentences as text, ticks, the places of panels, and the way between data and CSS pixels.
// A scene is the header that Python packed, its array references replaced by typed arrays. `layout` gives each panel its
// `plot` rectangle; `panel.view` is the part of the axes that is visible, {x0, x1, y0, y1} in axis units.

const LEGEND = 13.5, SMALLEST = 12; // text sizes in CSS pixels, before scaling
const LOOSE = 1.25, WIDEST = 1.9; // width over height of a plot that may have any: wanted, and at most where there is room

// ---- text

function format(value, digits = 3, whole = Number.isInteger(value)) {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return '–';
  const text = (whole || !value) && size < 1e6 ? String(value)
    : size >= 1e6 || size < 1e-4 ? value.toExponential(digits - 1)
    : value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  return text.replace('-', '−');
}

// A sentence of the catalogue with its placeholders filled.
const fill = (sentence, values) => sentence.replace(/%\{(\w+)\}/g, (_, name) => values[name]);

const superscript = n => [...String(n)].map(c => '⁰¹²³⁴⁵⁶⁷⁸⁹'[c] ?? '⁻').join('');

function ticks(from, to, room, log) {
  const lo = Math.min(from, to), hi = Math.max(from, to);
  return log && hi - lo > 1.6 ? decades(lo, hi, room) : log ? parts(lo, hi) : steps(lo, hi, room);
}

// About `room` round numbers between lo and hi, and never fewer than three.
function steps(lo, hi, room) {
  const unit = 10 ** Math.floor(Math.log10((hi - lo) / room)), sizes = [10, 5, 2, 1, 0.5, 0.2].map(m => m * unit);
  const count = step => Math.floor(hi / step + 1e-6) - Math.ceil(lo / step - 1e-6) + 1;
  const fine = sizes.findLastIndex(step => step >= (hi - lo) / room * 0.999);
  const step = sizes.slice(fine).find(step => count(step) >= 3);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Array.from({length: count(step)}, (_, i) => (Math.ceil(lo / step - 1e-6) + i) * step)
    .map(v => [v, Math.abs(v) >= 1e6 ? v.toExponential(1) : v.toFixed(decimals).replace('-', '−')]);
}

function decades(lo, hi, room) {
  let stride = Math.max(1, Math.ceil((hi - lo) / Math.max(1, room)));
  while (stride > 1 && Math.floor(hi / stride + 1e-6) - Math.ceil(lo / stride - 1e-6) < 1) stride--; // one says too little
  const list = [];
  for (let e = Math.ceil(lo / stride - 1e-6) * stride; e <= hi + 1e-6; e += stride)
    list.push([e, e >= -3 && e <= 4 ? String(+(10 ** e).toFixed(3)) : '10' + superscript(e)]);
  return list;
}

function parts(lo, hi) {
  const list = [];
  for (let e = Math.floor(lo); e <= hi; e++)
    for (const m of [1, 2, 5]) {
      const v = e + Math.log10(m);
      if (v >= lo && v <= hi) list.push([v, format(m * 10 ** e, 1)]);
    }
  return list;
}

// ---- where things go

const isPicture = panel => panel.layers.every(layer => layer.kind === 'images' || layer.kind === 'matrix');

// Width over height of a plot; 0 where it may take what is left. Wide pictures do not starve their neighbours.
function aspect(panel) {
  if (isPicture(panel) && panel.layers.length) {
    const {n, w, h, columns} = panel.layers[0];
    return Math.min(panel.alone ? 6 : 1.2, Math.min(columns, n) * w / (Math.ceil(n / columns) * h));
  }
  return panel.equal ? (panel.x[1] - panel.x[0]) / (panel.y[1] - panel.y[0]) : 0;
}

const entries = panel => panel.layers.flatMap(layer => layer.label.map((text, i) => ({layer, i, text})).filter(e => e.text));

// Margins around each plot; panels that share the axes of their left neighbour do without tick labels of their own.
function margins(scene, unit, columns, lines) {
  const any = test => scene.panels.some(test);
  const base = (any(p => !isPicture(p)) ? 22 : 6) + (any(p => p.xlabel) ? 18 : 0);
  const side = scene.panels.map((p, i) => {
    const shared = i % columns && p.link === scene.panels[i - 1].link && !p.ylabel;
    return {left: unit * (isPicture(p) || shared ? 8 : p.ylabel ? 58 : 40), right: unit * 12};
  });
  const top = unit * (29 + 21 * lines), bottom = unit * (base + (any(p => p.caption) ? 22 + 18 * !!scene.folds : 0));
  return {top, bottom, side, title: unit * (10 + 21 * lines), legend: unit * (12 + 21 * (lines - 1)), caption: unit * (base + 13)};
}

function arrange(scene, width, room, unit, columns, lines, loose) {
  const m = margins(scene, unit, columns, lines), rows = [];
  for (let i = 0; i < scene.panels.length; i += columns) rows.push(scene.panels.slice(i, i + columns));
  const free = row => width - row.reduce((sum, p) => sum + m.side[p.index].left + m.side[p.index].right, 0);
  const wanted = row => row.reduce((sum, p) => sum + (aspect(p) || loose), 0);
  const fits = Math.min(...rows.map(row => free(row) / wanted(row)));
  return {m, rows, fits, free, high: Math.min(fits, room / rows.length - m.top - m.bottom)};
}

// The number of rows with the largest plots, one row if more do not `gain` as much; rows grow past the window rather than
// have plots of less than `least` pixels a side. `loose`: the least width over height of a plot that may have any.
function choose(scene, width, room, unit, least, lines, loose, gain) {
  const count = scene.panels.length, splits = scene.panels.map((_, i) => Math.ceil(count / (i + 1)));
  if (scene.floor) return onPhone(scene, width, room, unit, lines, loose, splits);
  let best = null;
  for (const columns of splits) {
    const tried = arrange(scene, width, room, unit, columns, lines, loose);
    if (!best || tried.high > gain * best.high) best = tried;
  }
  if (best.high >= least) return best;
  for (const columns of splits) {
    const tried = arrange(scene, width, Infinity, unit, columns, lines, loose);
    best = {...tried, high: Math.min(tried.fits, room - tried.m.top - tried.m.bottom)};
    if (tried.fits >= least) break;
  }
  return best;
}

// On a phone: of the numbers of columns in which each title has the room it needs, the one with the largest plots that end
// within the window. Plots become smaller for that, down to a part `scene.floor` of a column's width. Where that is not
// enough the reader scrolls, and they keep the width of their columns.
function onPhone(scene, width, room, unit, lines, loose, splits) {
  const tried = splits.map(columns => ({...arrange(scene, width, room, unit, columns, lines, loose), columns}));
  const titled = tried.filter(({columns, m}) => columns === 1 || scene.title <= width / columns - Math.max(...m.side.map(side => side.left)));
  const made = titled.map(one => ({...one, high: Math.min(one.fits, Math.max(scene.floor * width / one.columns, one.high))}));
  const tall = ({m, rows, high}) => rows.length * (high + m.top + m.bottom);
  const within = made.filter(one => tall(one) <= room + 1).sort((a, b) => b.high - a.high);
  return within[0] ?? titled.map(one => ({...one, high: one.fits})).sort((a, b) => tall(a) - tall(b))[0];
}

// Sets `plot` and where the words of each panel go, and returns the height of the whole in CSS pixels. Where the
// `widest` caption of a panel does not fit below it, all captions have room for two lines: `scene.folds`.
function layout(scene, width, room, unit, least, more = {}, measure, lines = scene.panels.some(p => entries(p).length) ? 1 : 0) {
  const {fixed, loose = LOOSE, gain = 1.2} = more, {m, rows, free, high: chosen} = choose(scene, width, room, unit, least, lines, loose, gain);
  const high = Math.max(40, fixed ? fixed - m.top - m.bottom : chosen), tall = high + m.top + m.bottom;
  rows.forEach((row, r) => placeRow(row, m, r * tall, high, free(row), loose, scene.floor && rows[0].length));
  for (const p of scene.panels) Object.assign(p, {captionY: p.captionY - slack(p, unit), edge: width});
  const wanted = Math.max(...scene.panels.map(p => placeLegend(p, unit, measure))), needed = lines < 3 ? Math.max(lines, wanted) : lines;
  const folds = scene.panels.some(p => p.widest > p.room);
  if (needed === lines && (scene.folds || !folds)) return rows.length * tall;
  scene.folds ||= folds;
  return layout(scene, width, room, unit, least, more, measure, needed);
}

// The rectangle of picture i, fitted into the plot with a thin gap.
function tile(layer, plot, i, unit) {
  const columns = Math.min(layer.columns, layer.n), rows = Math.ceil(layer.n / columns), text = nameRoom(layer, unit);
  const gap = layer.n > 1 ? 4 * unit : 0;
  const scale = Math.min(((plot.w + gap) / columns - gap) / layer.w, ((plot.h + gap) / rows - gap - text) / layer.h);
  const w = scale * layer.w, h = scale * layer.h, row = Math.floor(i / columns);
  return {x: plot.x + (i % columns) * (w + gap), y: plot.y + row * (h + gap + text), w, h};
}

const nameRoom = (layer, unit) => layer.names.length ? 15 * unit : 0;

// What a plot of wide pictures leaves empty below them.
function slack(p, unit) {
  const {plot, layers: [layer]} = p;
  if (!isPicture(p) || layer?.kind !== 'images') return 0;
  const {y, h} = tile(layer, plot, layer.n - 1, unit);
  return Math.max(0, plot.y + plot.h - y - h - nameRoom(layer, unit));
}

// How much lower the lowest plot reaches than what is drawn in the plots.
function spare(panels, unit) {
  const ends = panels.map(({plot}) => plot.y + plot.h);
  return Math.max(...ends) - Math.max(...panels.map((p, i) => ends[i] - slack(p, unit)));
}

// Puts the legend's entries one after the other, on as many lines as they need; returns how many.
function placeLegend(p, unit, measure) {
  let x = 0, line = 0;
  p.legend = entries(p).map(entry => {
    const sign = (entry.layer.kind === 'points' ? 16 : 24) * unit, w = sign + measure(entry.text);
    if (x && x + w > p.room) { x = 0; line++; }
    const placed = {...entry, sign, x, y: line * 21 * unit};
    x += w + 14 * unit;
    return placed;
  });
  return p.legend.length ? line + 1 : 0;
}

// `columns`: on a phone, where each panel of a row has an equal part of what the row leaves free, for its words.
function placeRow(row, m, y, high, free, narrow, columns) {
  const widths = row.map(p => high * (aspect(p) || narrow)), sum = widths.reduce((a, b) => a + b, 0);
  const scale = Math.min(1, free / sum), loose = row.filter(p => !aspect(p)).length;
  const spare = Math.max(0, free - sum * scale);
  const part = spare / row.length, extra = columns ? part : Math.min(spare / (loose || 1), (WIDEST - narrow) * high);
  const rest = spare - extra * loose;
  let x = columns > 1 ? 0 : rest / 2;
  row.forEach((p, i) => {
    const {left, right} = m.side[p.index], ratio = aspect(p);
    const w = widths[i] * scale + (ratio ? 0 : extra), h = ratio ? w / ratio : high, apart = ratio && columns > 1 ? part : 0;
    p.plot = {x: x + left, y: y + m.top, w, h};
    Object.assign(p, {titleY: y + m.top - m.title, legendY: y + m.top - m.legend, captionY: y + m.top + h + m.caption, room: w + right + apart});
    Object.assign(p, {small: columns > 1, textX: undefined}); // its title; where its words begin, if not at its plot
    if (columns === 1) Object.assign(p, {textX: left, room: w + rest + right});
    p.shared = left < 20 && !isPicture(p);
    x += left + w + right + apart;
  });
}

const toX = (p, v) => p.plot.x + (v - p.view.x0) / (p.view.x1 - p.view.x0) * p.plot.w;
const toY = (p, v) => p.plot.y + p.plot.h - (v - p.view.y0) / (p.view.y1 - p.view.y0) * p.plot.h;
const fromX = (p, x) => p.view.x0 + (x - p.plot.x) / p.plot.w * (p.view.x1 - p.view.x0);
const fromY = (p, y) => p.view.y0 + (p.plot.y + p.plot.h - y) / p.plot.h * (p.view.y1 - p.view.y0);
