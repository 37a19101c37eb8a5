// What the pointer reads: the values of what lies under it, as lines of text.

function hover(s, event) {
  const x = event.offsetX, y = event.offsetY, p = panelAt(s, x, y), text = p ? readPanel(p, s.k, x, y, s.look.unit) : '';
  const {style} = s.readout;
  s.readout.textContent = text;
  style.visibility = text ? 'visible' : 'hidden';
  if (!text) return;
  const {offsetWidth: w, offsetHeight: h} = s.readout;
  style.transform = `translate(${x + 16 + w > s.width ? x - 12 - w : x + 16}px, ${clamp(y - h - 8, 0, s.height - h)}px)`;
  s.canvas.style.cursor = movable(s, p) ? 'crosshair' : 'default';
}

function readPanel(p, k, x, y, unit) {
  const found = p.layers.map(layer => READ[layer.kind]?.(layer, p, k, x, y, 14 * unit)).filter(Boolean);
  if (isPicture(p)) return found.join('\n');
  const [vx, vy] = [value(fromX(p, x), p.xlog), value(fromY(p, y), p.ylog)].map(v => format(v));
  return [`${p.xlabel || 'x'} ${vx}   ${p.ylabel || 'y'} ${vy}`, ...found.slice(0, 4)].join('\n');
}

// Index of the position nearest to (x, y) within `reach` pixels, or -1.
function nearest(q, n, m, x, y, reach) {
  let best = -1, least = reach * reach;
  for (let i = 0; i < n; i++) {
    const d = (m.ax + m.bx * q[2 * i] - x) ** 2 + (m.ay + m.by * q[2 * i + 1] - y) ** 2;
    if (q[2 * i] !== MISSING && d < least) { best = i; least = d; }
  }
  return best;
}

const pair = (p, box, q, i) => `(${format(value(box[0] + box[2] * q[2 * i], p.xlog))}, ${format(value(box[1] + box[3] * q[2 * i + 1], p.ylog))})`;
const level = (limits, q) => format(limits[0] + (limits[1] - limits[0]) * (q - 1) / 254);
const named = (layer, i, fallback) => layer.label[i] || layer.label[0] || fallback;

const READ = {
  matrix: readMatrix,
  points(layer, p, k, x, y, reach) {
    const q = frame(layer.xy, k, 2 * layer.n), i = nearest(q, layer.n, affine(p, layer.box), x, y, reach);
    if (i < 0) return '';
    const group = layer.ends.findIndex(end => i < end), number = layer.value && frame(layer.value, k, layer.n)[i];
    return `${named(layer, group, p.words.point)} ${pair(p, layer.box, q, i)}${number ? ` = ${level(layer.limits, number)}` : ''}`;
  },
  arrows(layer, p, k, x, y, reach) {
    const i = nearest(frame(layer.at, k, 2 * layer.n), layer.n, affine(p, layer.box), x, y, reach);
    if (i < 0) return '';
    const d = frame(layer.by, k, 2 * layer.n), scale = frame(layer.scale, k, 1)[0], u = d[2 * i] * scale, v = d[2 * i + 1] * scale;
    const [across, up, length] = [u, v, Math.hypot(u, v)].map(part => format(part, 2));
    return fill(p.words.vector, {name: named(layer, 0, p.words.arrow), x: across, y: up, length});
  },
  path(layer, p, k, x, y, reach) {
    const last = Math.min(k, layer.frames - 1), q = layer.xy.subarray(2 * last * layer.n);
    const i = nearest(q, layer.n, affine(p, layer.box), x, y, reach);
    return i < 0 ? '' : `${named(layer, 0, p.words.particle)} ${pair(p, layer.box, q, i)}`;
  },
  heat(layer, p, k, x, y) {
    const {w, h, extent: [x0, y0, x1, y1]} = layer, values = frame(layer.values, k, w * h);
    const i = Math.floor((fromX(p, x) - x0) / (x1 - x0) * w), j = Math.floor((fromY(p, y) - y0) / (y1 - y0) * h);
    const q = i >= 0 && i < w && j >= 0 && j < h ? values[j * w + i] : 0;
    return q ? `${named(layer, 0, p.words.value)} ${level(layer.limits, q)}` : '';
  },
  line(layer, p, k, x) {
    const xs = frame(layer.x, k, layer.n), ys = frame(layer.y, k, layer.n);
    let best = -1, least = 20;
    for (let i = 0; i < layer.n; i++) {
      const d = Math.abs(toX(p, xs[i]) - x);
      if (d < least && Number.isFinite(ys[i])) { best = i; least = d; }
    }
    return best < 0 || p.equal ? '' : `${named(layer, 0, p.words.curve)} ${format(value(ys[best], p.ylog))}`;
  },
  images(layer, p, k, x, y) {
    for (let i = 0; i < layer.n; i++) {
      const t = tile(layer, p.plot, i, 1);
      if (x < t.x || x > t.x + t.w || y < t.y || y > t.y + t.h) continue;
      const {w, h, channels} = layer, pixels = frame(layer.pixels, k, layer.n * w * h * channels);
      const at = ((i * h + Math.floor((y - t.y) / t.h * h)) * w + Math.floor((x - t.x) / t.w * w)) * channels;
      const name = layer.names[i] || layer.label[0] || fill(p.words.image, {number: i + 1});
      return fill(p.words.pixel, {name, values: [...pixels.subarray(at, at + channels)].join(', ')});
    }
    return '';
  },
};
