// Draws one frame of a scene on a 2-D context. Knows nothing of the clock, the pointer or the page.

const TAU = 2 * Math.PI, MISSING = -32768;

// From quantised positions to CSS pixels: x = ax + bx * q.
function affine(p, box) {
  const sx = p.plot.w / (p.view.x1 - p.view.x0), sy = p.plot.h / (p.view.y1 - p.view.y0);
  return {ax: toX(p, box[0]), bx: box[2] * sx, ay: toY(p, box[1]), by: -box[3] * sy};
}

// The part of `array` that belongs to frame k; an array of one frame stands still.
const frame = (array, k, size) => array.length > size ? array.subarray(k * size, (k + 1) * size) : array;

// ---- marks

const SHAPES = {
  dot: (c, x, y, r) => { c.moveTo(x + r, y); c.arc(x, y, r, 0, TAU); },
  ring: (c, x, y, r) => { c.moveTo(x + r, y); c.arc(x, y, r, 0, TAU); },
  square: (c, x, y, r) => c.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r),
  triangle: (c, x, y, r) => { c.moveTo(x, y - 1.3 * r); c.lineTo(x + 1.15 * r, y + 0.8 * r); c.lineTo(x - 1.15 * r, y + 0.8 * r); c.closePath(); },
  cross: (c, x, y, r) => { c.moveTo(x - r, y - r); c.lineTo(x + r, y + r); c.moveTo(x + r, y - r); c.lineTo(x - r, y + r); },
};
const HOLLOW = new Set(['ring', 'cross']);

function finish(c, shape, colour, size) {
  if (HOLLOW.has(shape)) { c.strokeStyle = colour; c.lineWidth = Math.max(1, 0.5 * size); c.stroke(); }
  else { c.fillStyle = colour; c.fill(); }
}

// All points of one colour in one path. `keep(i)` picks among them.
function scatter(c, q, m, from, to, shape, colour, size, keep) {
  const put = SHAPES[shape];
  c.beginPath();
  for (let i = from; i < to; i++)
    if (q[2 * i] !== MISSING && (!keep || keep(i))) put(c, m.ax + m.bx * q[2 * i], m.ay + m.by * q[2 * i + 1], size);
  finish(c, shape, colour, size);
}

function drawPoints(c, layer, p, k, look) {
  const q = frame(layer.xy, k, 2 * layer.n), m = affine(p, layer.box), size = layer.size * look.unit;
  if (layer.trail) drawTrails(c, layer, m, k, look);
  c.globalAlpha = layer.alpha;
  if (layer.value) {
    const value = frame(layer.value, k, layer.n), bins = 12;
    for (let b = 0; b < bins; b++)
      scatter(c, q, m, 0, layer.n, layer.shapes[0], look.ramp(0.35 + 0.65 * b / (bins - 1)), size,
        i => value[i] && Math.min(bins - 1, (value[i] - 1) * bins / 254 | 0) === b);
    return;
  }
  layer.ends.forEach((end, g) => scatter(c, q, m, layer.ends[g - 1] ?? 0, end, layer.shapes[g], look.colour(layer.roles[g]), size));
}

// Earlier frames fade out: one path per colour and per step back.
function drawTrails(c, layer, m, k, look) {
  const size = 2 * layer.n;
  c.lineWidth = look.unit;
  for (let back = Math.min(layer.trail, k); back >= 1; back--) {
    const a = frame(layer.xy, k - back, size), b = frame(layer.xy, k - back + 1, size);
    c.globalAlpha = 0.5 * layer.alpha * (1 - (back - 1) / layer.trail);
    layer.ends.forEach((end, g) => {
      c.beginPath();
      for (let i = layer.ends[g - 1] ?? 0; i < end; i++)
        if (a[2 * i] !== MISSING && b[2 * i] !== MISSING) {
          c.moveTo(m.ax + m.bx * a[2 * i], m.ay + m.by * a[2 * i + 1]);
          c.lineTo(m.ax + m.bx * b[2 * i], m.ay + m.by * b[2 * i + 1]);
        }
      c.strokeStyle = look.colour(layer.roles[g]);
      c.stroke();
    });
  }
}

function drawArrows(c, layer, p, k, look) {
  const q = frame(layer.at, k, 2 * layer.n), d = frame(layer.by, k, 2 * layer.n), m = affine(p, layer.box);
  const scale = frame(layer.scale, k, 1)[0], sx = scale * p.plot.w / (p.view.x1 - p.view.x0), sy = -scale * p.plot.h / (p.view.y1 - p.view.y0);
  const heads = new Path2D();
  c.beginPath();
  for (let i = 0; i < 2 * layer.n; i += 2)
    if (q[i] !== MISSING && d[i] !== -128)
      arrow(c, heads, m.ax + m.bx * q[i], m.ay + m.by * q[i + 1], sx * d[i], sy * d[i + 1], layer.width * look.unit);
  strokeArrows(c, heads, layer, look);
}

// A shaft and a filled head that never outgrows it; arrows shorter than a pixel are left out.
function arrow(c, heads, x, y, u, v, width) {
  const length = Math.hypot(u, v);
  if (length < 1) return;
  const head = Math.min(4.2 * width, 0.5 * length) / length, hu = u * head, hv = v * head, x1 = x + u, y1 = y + v;
  c.moveTo(x, y);
  c.lineTo(x1 - 0.7 * hu, y1 - 0.7 * hv);
  heads.moveTo(x1, y1);
  heads.lineTo(x1 - hu - 0.42 * hv, y1 - hv + 0.42 * hu);
  heads.lineTo(x1 - hu + 0.42 * hv, y1 - hv - 0.42 * hu);
  heads.closePath();
}

function strokeArrows(c, heads, layer, look) {
  c.globalAlpha = 0.9;
  c.strokeStyle = c.fillStyle = look.colour(layer.roles[0]);
  c.lineWidth = layer.width * look.unit;
  c.setLineDash(layer.dash.map(v => v * look.unit));
  c.stroke();
  c.setLineDash([]);
  c.fill(heads);
}

function drawPath(c, layer, p, k, look) {
  const m = affine(p, layer.box), q = layer.xy, last = Math.min(k, layer.frames - 1), size = 4.5 * look.unit;
  c.strokeStyle = c.fillStyle = look.colour(layer.roles[0]);
  for (let j = 0; j < layer.n; j++) {
    for (const [from, to, alpha, width] of [[last, layer.frames - 1, 0.25, 1.2], [0, last, 0.95, 2]]) {
      c.globalAlpha = alpha;
      c.lineWidth = width * look.unit;
      c.beginPath();
      polyline(c, from, to, t => q[2 * (t * layer.n + j)] === MISSING ? NaN : m.ax + m.bx * q[2 * (t * layer.n + j)],
        t => m.ay + m.by * q[2 * (t * layer.n + j) + 1]);
      c.stroke();
    }
    const i = 2 * (last * layer.n + j);
    if (q[i] === MISSING) continue;
    c.globalAlpha = 1;
    c.beginPath();
    c.arc(m.ax + m.bx * q[i], m.ay + m.by * q[i + 1], size, 0, TAU);
    c.fill();
    c.lineWidth = 1.5 * look.unit;
    c.strokeStyle = look.paper;
    c.stroke();
    c.strokeStyle = look.colour(layer.roles[0]);
  }
}

function polyline(c, from, to, x, y) {
  let pen = false;
  for (let t = from; t <= to; t++) {
    const px = x(t), py = y(t);
    if (!Number.isFinite(px) || !Number.isFinite(py)) { pen = false; continue; }
    if (pen) c.lineTo(px, py); else { c.moveTo(px, py); pen = true; }
  }
}

function drawLine(c, layer, p, k, look) {
  const x = frame(layer.x, k, layer.n), y = frame(layer.y, k, layer.n);
  c.globalAlpha = 0.95;
  c.strokeStyle = look.colour(layer.roles[0]);
  c.lineWidth = layer.width * look.unit;
  c.lineJoin = c.lineCap = 'round';
  c.setLineDash(layer.dash.map(v => v * look.unit));
  c.beginPath();
  polyline(c, 0, layer.n - 1, i => toX(p, x[i]), i => toY(p, y[i]));
  c.stroke();
  c.setLineDash([]);
  c.lineCap = 'butt';
}

// ---- pixels

// A canvas kept on the layer with frame k in it, filled by `write(rgba)` only when the frame or the theme changed.
function bitmap(layer, w, h, k, look, write) {
  const state = `${k} ${look.name} ${w} ${h}`;
  if (layer.state === state) return layer.canvas;
  layer.canvas ??= document.createElement('canvas');
  Object.assign(layer.canvas, {width: w, height: h});
  const c = layer.canvas.getContext('2d'), image = c.createImageData(w, h);
  write(new Uint32Array(image.data.buffer));
  c.putImageData(image, 0, 0);
  layer.state = state;
  return layer.canvas;
}

// A heat map under other layers is veiled, so that they keep their contrast.
const veil = p => p.layers.length > 1 ? 0.55 : 1;

function drawHeat(c, layer, p, k, look) {
  const {w, h} = layer, values = frame(layer.values, layer.values.length > w * h ? k : 0, w * h);
  const source = bitmap(layer, w, h, layer.values.length > w * h ? k : 0, look, out => {
    for (let r = 0; r < h; r++) for (let i = 0; i < w; i++) out[(h - 1 - r) * w + i] = look.table[values[r * w + i]];
  });
  const [x0, y0, x1, y1] = layer.extent, x = toX(p, x0), y = toY(p, y1);
  c.globalAlpha = veil(p);
  c.imageSmoothingEnabled = true;
  c.imageSmoothingQuality = 'high';
  c.drawImage(source, x, y, toX(p, x1) - x, toY(p, y0) - y);
}

function drawImages(c, layer, p, k, look) {
  const {n, w, h, channels} = layer, size = n * w * h * channels, moving = layer.pixels.length > size;
  const pixels = frame(layer.pixels, moving ? k : 0, size);
  const source = bitmap(layer, w, n * h, moving ? k : 0, look, out => {
    for (let i = 0; i < n * w * h; i++) {
      const j = i * channels, r = pixels[j], g = channels > 1 ? pixels[j + 1] : r, b = channels > 1 ? pixels[j + 2] : r;
      out[i] = 0xff000000 | b << 16 | g << 8 | r;
    }
  });
  c.globalAlpha = 1;
  c.imageSmoothingEnabled = false;
  for (let i = 0; i < n; i++) {
    const t = tile(layer, p.plot, i, look.unit);
    c.drawImage(source, 0, i * h, w, h, t.x, t.y, t.w, t.h);
    frameImage(c, t, layer.roles[layer.group[i] ?? 0], look);
    if (layer.names[i]) write(c, layer.names[i], t.x + t.w / 2, t.y + t.h + 12 * look.unit, look, 12, 'center', 0.8, t.w);
  }
}

// A hair line, or with a role a frame in its colour and dash.
function frameImage(c, {x, y, w, h}, role, look) {
  const width = role ? 2 * look.unit : 1;
  c.strokeStyle = role ? look.colour(role) : look.ink(0.2);
  c.lineWidth = width;
  c.setLineDash(role ? ROLES[role][3].map(v => v * look.unit) : []);
  c.strokeRect(x - width / 2, y - width / 2, w + width, h + width);
  c.setLineDash([]);
}

const DRAW = {points: drawPoints, arrows: drawArrows, path: drawPath, heat: drawHeat, images: drawImages, line: drawLine, matrix: drawMatrix};

// ---- text, axes, legend

function write(c, text, x, y, look, size, align = 'left', strength = 1, room = undefined, weight = 400) {
  c.font = `${weight} ${size * look.unit}px ${look.font}`;
  c.fillStyle = look.ink(strength);
  c.textAlign = align;
  c.fillText(text, x, y, room);
}

function drawAxes(c, p, look) {
  const {x, y, w, h} = p.plot, u = look.unit;
  const across = ticks(p.view.x0, p.view.x1, Math.max(2.5, w / (90 * u)), p.xlog), up = ticks(p.view.y0, p.view.y1, Math.max(2.5, h / (90 * u)), p.ylog);
  const crisp = v => Math.round(v * look.ratio) / look.ratio + 0.5 / look.ratio;
  c.lineWidth = 1;
  c.strokeStyle = look.ink(0.09);
  c.beginPath();
  for (const [v] of across) { const px = crisp(toX(p, v)); c.moveTo(px, y); c.lineTo(px, y + h); }
  for (const [v] of up) { const py = crisp(toY(p, v)); c.moveTo(x, py); c.lineTo(x + w, py); }
  c.stroke();
  c.strokeStyle = look.ink(0.28);
  c.strokeRect(crisp(x), crisp(y), w, h);
  // A label in the middle of its tick would leave the canvas where the last panel ends.
  for (const [v, text] of across) {
    const px = toX(p, v), edge = px + 3.6 * u * text.length > x + w + 12 * u;
    write(c, text, edge ? x + w + 10 * u : px, y + h + 16 * u, look, 12.5, edge ? 'right' : 'center', 0.72);
  }
  if (!p.shared) for (const [v, text] of up) write(c, text, x - 6 * u, toY(p, v) + 4.5 * u, look, 12.5, 'right', 0.72);
  if (p.xlabel) write(c, p.xlabel, x + w / 2, y + h + 34 * u, look, 13.5, 'center', 0.85, w);
  if (p.ylabel) {
    c.save();
    c.translate(x - 44 * u, y + h / 2);
    c.rotate(-TAU / 4);
    write(c, p.ylabel, 0, 0, look, 13.5, 'center', 0.85, h);
    c.restore();
  }
}

function drawWords(c, p, k, look) {
  const x = p.textX ?? p.plot.x, u = look.unit;
  write(c, p.title, x, p.titleY, look, p.small ? 14 : 16, 'left', 1, p.room, 600);
  for (const {layer, i, text, sign, x: dx, y: dy} of p.legend) {
    key(c, p, layer, i, x + dx, p.legendY + dy, look);
    write(c, text, x + dx + sign, p.legendY + dy + 4.5 * u, look, LEGEND, 'left', 0.85, p.edge - x - dx - sign);
  }
  const caption = Array.isArray(p.caption) ? p.caption[k] : p.caption;
  if (!caption) return;
  c.font = `${13.5 * u}px ${look.font}`;
  const lines = p.widest && c.measureText(caption).width > p.room ? halves(caption) : [caption];
  lines.forEach((line, i) => write(c, line, x, p.captionY + 18 * i * u, look, 13.5, 'left', 0.85, p.room));
}

// The legend repeats what tells a layer apart: shape, or arrow and dash.
function key(c, p, layer, i, x, y, look) {
  const u = look.unit, colour = look.colour(layer.roles?.[i] ?? 'data');
  c.globalAlpha = 1;
  if (layer.kind === 'points') {
    c.beginPath();
    SHAPES[layer.shapes[i]](c, x + 5 * u, y, 4.2 * u);
    finish(c, layer.shapes[i], layer.value ? look.ramp(0.8) : colour, 4 * u);
  } else if (layer.kind === 'heat' || layer.kind === 'matrix') {
    c.globalAlpha = veil(p);
    for (let j = 0; j < 18; j++) { c.fillStyle = look.ramp(j / 17); c.fillRect(x + j * u, y - 5 * u, u + 0.5, 10 * u); }
    c.strokeStyle = look.ink(0.25);
    c.globalAlpha = 1;
    c.strokeRect(x, y - 5 * u, 18 * u, 10 * u);
  } else if (layer.kind === 'images') {
    if (layer.roles.length) frameImage(c, {x, y: y - 6 * u, w: 16 * u, h: 12 * u}, layer.roles[i], look);
  } else {
    const heads = new Path2D();
    c.beginPath();
    if (layer.kind === 'arrows') arrow(c, heads, x, y, 18 * u, 0, 1.8 * u);
    else { c.moveTo(x, y); c.lineTo(x + 18 * u, y); }
    if (layer.kind === 'path') heads.arc(x + 14.5 * u, y, 3.5 * u, 0, TAU);
    strokeArrows(c, heads, {...layer, width: 2}, look);
  }
}

function drawMarker(c, p, k, look) {
  const x = toX(p, p.marker[k]), {y, h} = p.plot, u = look.unit;
  if (!Number.isFinite(x)) return;
  c.globalAlpha = 0.75;
  c.strokeStyle = c.fillStyle = look.ink(1);
  c.lineWidth = 1.5 * u;
  c.beginPath();
  c.moveTo(x, y);
  c.lineTo(x, y + h);
  c.stroke();
  c.beginPath();
  c.moveTo(x - 5 * u, y);
  c.lineTo(x + 5 * u, y);
  c.lineTo(x, y + 7 * u);
  c.fill();
  c.globalAlpha = 1;
}

function drawProbe(c, p, [vx, vy], look) {
  const x = toX(p, p.xlog ? Math.log10(vx) : vx), y = toY(p, p.ylog ? Math.log10(vy) : vy), {plot} = p, u = look.unit, r = 7 * u;
  const colour = look.colour('probe');
  for (const [stroke, width, alpha] of [[look.paper, 4, 0.8], [colour, 1.6, 1]]) {
    c.strokeStyle = stroke;
    c.lineWidth = width * u;
    c.globalAlpha = alpha;
    c.beginPath();
    c.arc(x, y, r, 0, TAU);
    for (const [a, b] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { c.moveTo(x + a * r, y + b * r); c.lineTo(x + 1.9 * a * r, y + 1.9 * b * r); }
    c.stroke();
  }
  c.globalAlpha = 0.16;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(plot.x, y); c.lineTo(plot.x + plot.w, y);
  c.moveTo(x, plot.y); c.lineTo(x, plot.y + plot.h);
  c.stroke();
  c.globalAlpha = 1;
}

// Draws frame k of every panel. `look` holds colours, font, unit (text scale) and ratio (device pixels per CSS pixel).
function paint(c, scene, k, probe, look) {
  for (const p of scene.panels) {
    c.globalAlpha = 1;
    const picture = isPicture(p);
    c.save();
    if (!picture) {
      c.fillStyle = look.ink(0.018);
      c.fillRect(p.plot.x, p.plot.y, p.plot.w, p.plot.h);
      c.beginPath();
      c.rect(p.plot.x, p.plot.y, p.plot.w, p.plot.h);
      c.clip();
    }
    for (const layer of p.layers) DRAW[layer.kind](c, layer, p, k, look);
    if (p.marker) drawMarker(c, p, k, look);
    if (p.probe && probe) drawProbe(c, p, probe, look);
    c.restore();
    c.globalAlpha = 1;
    if (!picture) drawAxes(c, p, look);
    drawWords(c, p, k, look);
  }
}
