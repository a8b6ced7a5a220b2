// What is known of each pixel: looked up in the numbers that minifcn embedded. No DOM: tested in node.
"use strict";
const Microscope = (() => {
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const shorts = text => new Int16Array(bytes(text).buffer);  // little-endian, as every browser is
  const firstLargest = numbers => numbers.reduce((best, v, i) => v > numbers[best] ? i : best, 0);

  function softmax(scores) {
    const largest = Math.max(...scores), powers = scores.map(v => Math.exp(v - largest));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map(v => v / sum);
  }

  // data: as microscope.py's numbers_of makes it.
  function open(data) {
    const {rows, columns, step} = data.shown, [h, w] = [rows.length, columns.length];
    const classes = data.classes.length, unit = 10 ** -data.decimals;
    const terms = shorts(data.terms), truth = data.truth && bytes(data.truth);
    const term = (path, label, i, j) => terms[((path * classes + label) * h + i) * w + j];
    const all = Array.from({length: classes}, (_, label) => label);

    // i, j: which of the rows and columns that are kept. Sums are of whole multiples: exact.
    function at(i, j) {
      const whole = all.map(label => data.paths.map((_, path) => term(path, label, i, j)));
      const partial = data.paths.map((_, path) =>
        whole.map(own => own.slice(0, path + 1).reduce((a, b) => a + b, 0)));
      const sums = partial[partial.length - 1];
      return {row: rows[i], column: columns[j], terms: whole.map(own => own.map(v => v * unit)),
        scores: sums.map(v => v * unit), probabilities: softmax(sums.map(v => v * unit)),
        label: firstLargest(sums), leaders: partial.map(firstLargest),
        truth: truth ? truth[i * w + j] : null};
    }

    // What a path, or all of them where it is null, adds to the score of a class: h x w numbers.
    function added(path, label) {
      const chosen = path === null ? data.paths.map((_, p) => p) : [path];
      return Float64Array.from({length: h * w}, (_, flat) => unit * chosen.reduce((sum, p) =>
        sum + term(p, label, Math.floor(flat / w), flat % w), 0));
    }

    const coarseScores = data.paths.map(path => shorts(path.coarse.scores));
    function coarse(path, label) {
      const {height, width, decimals} = data.paths[path].coarse, all = height * width;
      return Float64Array.from(coarseScores[path].subarray(label * all, (label + 1) * all),
        v => v * 10 ** -decimals);
    }

    // What a path sees of the image, and all that it would see of a larger one; in pixels.
    function box(path, i, j) {
      const [, , top, bottom] = data.paths[path].rows[i];
      const [, , left, right] = data.paths[path].columns[j], {height, width} = data.image;
      const y = Math.max(top, 0), x = Math.max(left, 0);
      const inside = {y, x, height: Math.min(bottom, height - 1) - y + 1,
        width: Math.min(right, width - 1) - x + 1};
      return {...inside, fullHeight: bottom - top + 1, fullWidth: right - left + 1,
        whole: inside.height === height && inside.width === width};
    }

    // Which of the coarse scores of a path a pixel is made of, and in which of them it lies.
    function cells(path, i, j) {
      const {rows: down, columns: across, stride} = data.paths[path];
      return {rows: down[i].slice(0, 2), columns: across[j].slice(0, 2),
        own: [Math.floor(rows[i] / stride), Math.floor(columns[j] / stride)]};
    }

    const kept = (place, count) => Math.max(0, Math.min(count - 1, Math.floor(place / step)));
    return {height: h, width: w, at, added, coarse, box, cells,
      nearest: (row, column) => [kept(row, h), kept(column, w)]};
  }

  // -- The state in the address: pixel=ROW,COLUMN & class=ID & pin=1 & lang=ko ---------------------

  function toHash(state, scope) {
    const {row, column} = scope.at(...state.place);
    const p = new URLSearchParams({pixel: `${row},${column}`});
    if (state.label !== null) p.set("class", state.label);
    if (state.pinned) p.set("pin", 1);
    if (state.language !== "en") p.set("lang", state.language);
    return `#${p}`.replace("%2C", ",");
  }

  function fromHash(hash, scope, data) {
    const p = new URLSearchParams(hash.slice(1)), label = p.get("class");
    const place = /^(\d+),(\d+)$/.exec(p.get("pixel") || "");
    const known = /^\d+$/.test(label || "") && Number(label) < data.classes.length;
    return {place: place ? scope.nearest(Number(place[1]), Number(place[2])) : [...data.start],
      label: known ? Number(label) : null, pinned: p.has("pin"),
      language: data.texts.title[p.get("lang")] ? p.get("lang") : "en"};
  }

  const number = (v, decimals, signed = false) => {
    const digits = Math.abs(v).toFixed(Math.max(decimals, 0)), zero = !Number(digits);
    return `${zero ? "" : v < 0 ? "−" : signed ? "+" : ""}${digits}`;
  };
  return {bytes, open, toHash, fromHash, number};
})();
if (typeof module !== "undefined") module.exports = Microscope;
