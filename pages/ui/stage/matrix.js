// Captions against pictures: a row for each caption, a column for each picture, in each cell how near the two are.

// Where the matrix is: its upper left corner and the side of a cell. In cells, `w` by `h` are the whole with its edges.
function grid({size, w, h}, plot) {
  const cell = Math.min(plot.w / w, plot.h / h);
  return {x: plot.x + (w - size) * cell, y: plot.y + (h - size) * cell, cell};
}

function drawMatrix(c, layer, p, k, look) {
  const {size, names, tile: [w, h]} = layer, {x, y, cell} = grid(layer, p.plot), values = frame(layer.values, k, size * size);
  const source = bitmap(layer, w, size * h, 0, look, out => {
    for (let i = 0; i < out.length; i++) out[i] = 0xff000000 | layer.pixels[3 * i + 2] << 16 | layer.pixels[3 * i + 1] << 8 | layer.pixels[3 * i];
  });
  c.globalAlpha = 1;
  c.imageSmoothingEnabled = true;
  for (let i = 0; i < size; i++) {
    c.drawImage(source, 0, i * h, w, h, x + (i + 0.06) * cell, y - 1.15 * cell, 0.88 * cell, 0.88 * cell);
    writeCaption(c, names[i], x - 0.3 * cell, y + (i + 0.5) * cell, cell, look, (layer.w - size - 0.4) * cell);
    const row = values.subarray(i * size, (i + 1) * size), best = row.indexOf(Math.max(...row));
    row.forEach((value, j) => {
      c.fillStyle = look.ramp(Math.max(0, value - 1) / 254);
      c.fillRect(x + j * cell + 0.5, y + i * cell + 0.5, cell - 1, cell - 1);
    });
    mark(c, x + (best + 0.5) * cell, y + (i + 0.5) * cell, 0.17 * cell, look);
  }
  c.strokeStyle = look.colour(layer.roles[0]);
  c.lineWidth = 2 * look.unit;
  for (let i = 0; i < size; i++) c.strokeRect(x + i * cell, y + i * cell, cell, cell);
}

// A caption that ends at x, on two lines where one would be too long; both fit the height of a cell.
function writeCaption(c, name, x, y, cell, look, room) {
  c.font = `400 ${13 * look.unit}px ${look.font}`;
  const apart = 1.2; // lines, in heights of a letter: Chinese ones fill theirs
  const twice = Math.min(12, 0.95 * cell / look.unit / apart / 2), once = Math.min(13, 0.95 * cell / look.unit);
  const long = c.measureText(name).width > room, lines = !long ? [name] : twice < look.floor ? [shorten(c, name, room)] : halves(name);
  const size = lines.length > 1 ? twice : once;
  lines.forEach((line, i) => {
    const below = apart * (i - (lines.length - 1) / 2) + 0.36;
    write(c, line, x, y + below * size * look.unit, look, size, 'right', 0.9, room);
  });
}

// The beginning of a text that fits, for a room in which two lines would be too small to read.
function shorten(c, name, room) {
  const letters = [...name];
  while (letters.length > 1 && c.measureText(`${letters.join('')}…`).width > room) letters.pop();
  return `${letters.join('').trimEnd()}…`;
}

// A text in two parts, divided after a dot between words, else a comma, colon or space: the one nearest to its middle.
function halves(name) {
  const ends = [...name.matchAll(name.includes(' · ') ? / · /g : /[,，、： ]+/g)].map(found => found.index + found[0].length);
  const middle = ends.sort((a, b) => Math.abs(a - name.length / 2) - Math.abs(b - name.length / 2))[0];
  return middle ? [name.slice(0, middle).trimEnd(), name.slice(middle)] : [name];
}

// A dot that is seen on light and on dark cells.
function mark(c, x, y, r, look) {
  c.beginPath();
  c.arc(x, y, r, 0, TAU);
  c.fillStyle = look.paper;
  c.fill();
  c.strokeStyle = look.ink(1);
  c.lineWidth = 1.2 * look.unit;
  c.stroke();
}

function readMatrix(layer, p, k, x, y) {
  const {size, names, limits} = layer, g = grid(layer, p.plot), i = Math.floor((y - g.y) / g.cell), j = Math.floor((x - g.x) / g.cell);
  if (i < 0 || i >= size || j < 0 || j >= size) return '';
  const cosine = level(limits, frame(layer.values, k, size * size)[i * size + j]);
  return fill(p.words.cell, {caption: names[i], picture: names[j], cosine});
}
