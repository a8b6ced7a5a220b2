// What a page shows of an operation: its arrays, its steps, and for each step what is read, what is
// written and the sum in words of numbers. No DOM here either.
"use strict";
const Stories = (() => {
  const E = typeof Engine === "undefined" ? require("./engine.js") : Engine;

  // A number as one writes it: few digits, a true minus.
  const number = v => {
    if (Number.isNaN(v)) return "NaN";
    if (!Number.isFinite(v)) return v > 0 ? "∞" : "−∞";
    const text = Math.abs(v) >= 1e4 || (v && Math.abs(v) < 1e-3) ? v.toExponential(2)
      : String(Math.round(v * 1e4) / 1e4);
    return text.replace(/-/g, "−");
  };
  const factor = v => v < 0 || Object.is(v, -0) ? `(${number(v)})` : number(v);
  const place = (name, shape, flat) => {
    const full = E.placeOf(shape, flat);
    return `${name}[${(full[0] === 0 && shape[0] === 1 ? full.slice(1) : full).join(", ")}]`;
  };

  // One product of a tap: share, weight and value, whichever there are.
  function product(tap, weight, v) {
    const parts = [];
    if (tap.share !== 1) parts.push(number(tap.share));
    if (tap.weight >= 0) parts.push(factor(weight.data[tap.weight]));
    parts.push(factor(v));
    return parts.join("·");
  }

  // -- Operations with taps ----------------------------------------------------------------------

  const NAMES = {conv2d: ["x", "weight", "y"], conv_transpose2d: ["y", "weight", "x"],
    conv1x1: ["x", "weight", "y"], im2col: ["x", "", "columns"], col2im: ["columns", "", "x"],
    max_pool2d: ["x", "", "y"], max_unpool2d: ["y", "", "x"], interpolate: ["x", "", "y"]};

  // Return {arrays, steps}: arrays by name {shape, role, hidden}, steps {reads, uses, writes, sum,
  // loop, after}: places by array's name; `after` the values that are known once it is done.
  function story(name, s, given, options) {
    const operation = E.operations[name];
    return options.direction === "backward" ? backwardStory(name, operation, s, given, options)
      : forwardStory(name, operation, s, given, options);
  }

  function forwardStory(name, operation, s, given, {grain}) {
    const [input, , output] = NAMES[name], {y, chosen} = E.forward(operation, s, given);
    const arrays = {[input]: {...given.x, role: "input", key: "x"}};
    if (given.weight) arrays.weight = {...given.weight, role: "weight", key: "weight"};
    if (given.indices) arrays.indices = {...given.indices, role: "input", key: "indices"};
    arrays[output] = {...y, role: "output"};
    if (operation.chooses) arrays.indices = {...indicesOf(y, chosen, given.x), role: "output"};
    const sums = E.zeros(y.shape), known = new Set(), steps = [];
    const left = new Map();  // how many taps of an output are still to come
    for (const tap of operation.taps(s, given)) left.set(tap.out, (left.get(tap.out) || 0) + 1);
    const best = new Map();
    for (const taps of E.steps(operation, s, given, grain, "forward")) {
      const before = new Map(taps.map(tap => [tap.out, sums.data[tap.out]]));
      for (const tap of taps) if (tap.out >= 0) {
        if (operation.chooses) {
          const now = best.get(tap.out);
          if (tap.in >= 0 && (!now || given.x.data[tap.in] > given.x.data[now.in])) {
            best.set(tap.out, tap);
            sums.data[tap.out] = given.x.data[tap.in];
          }
        } else sums.data[tap.out] += E.coefficient(tap, given.weight) * E.value(tap, given.x);
        known.add(tap.out);
        left.set(tap.out, left.get(tap.out) - 1);
      }
      const outs = [...new Set(taps.map(tap => tap.out).filter(out => out >= 0))];
      const writes = {[output]: outs};
      if (operation.chooses) writes.indices = outs;
      steps.push({
        reads: {[input]: unique(taps.map(tap => tap.in)),
          ...(given.indices ? {indices: unique(taps.map(tap => tap.in))} : {})},
        uses: given.weight ? {weight: unique(taps.map(tap => tap.weight))} : {},
        padding: taps.filter(tap => tap.in < 0).map(tap => tap.loop),
        lost: taps.filter(tap => tap.out < 0).map(tap => tap.loop),
        writes, loop: taps[0].loop, last: taps[taps.length - 1].loop,
        sum: operation.chooses
          ? maximum(taps, given, output, y.shape, best, s)
          : sumOf(taps, given, input, output, y.shape, before, sums, operation.scatters),
        after: {[output]: snapshot(sums, known),
          ...(operation.chooses ? {indices: snapshot(indicesOf(y, best, given.x), known)} : {})},
      });
    }
    return {arrays, steps, input, output};
  }

  function indicesOf(y, chosen, x) {
    const indices = E.zeros(y.shape), plane = x.shape[1] * x.shape[2];
    for (const [out, tap] of chosen) indices.data[out] = tap.in % plane;
    return indices;
  }

  const unique = places => [...new Set(places.filter(flat => flat >= 0))];
  const snapshot = (array, known) => array.data.map((v, i) => known.has(i) ? v : null);

  function sumOf(taps, given, input, output, shape, before, sums, scatters) {
    const inside = taps.filter(tap => tap.out >= 0);
    const outs = new Set(inside.map(tap => tap.out));
    if (!inside.length) return `${input}: 0`;
    if (outs.size === 1) {  // one output: its products, added
      const out = inside[0].out, start = before.get(out);
      const terms = inside.map(tap => product(tap, given.weight, E.value(tap, given.x)));
      if (start) terms.unshift(number(start));
      return `${place(output, shape, out)} = ${terms.join(" + ")} = ${number(sums.data[out])}`;
    }
    const from = inside[0].in, one = new Set(inside.map(tap => tap.in)).size === 1;
    const head = one && from >= 0
      ? `${place(input, given.x.shape, from)} = ${number(given.x.data[from])}: ` : "";
    const running = new Map(before);
    return head + inside.map(tap => {
      const start = running.get(tap.out), added = E.coefficient(tap, given.weight)
        * E.value(tap, given.x);
      running.set(tap.out, start + added);
      const term = product(tap, given.weight, E.value(tap, given.x));
      return `${place(output, shape, tap.out)}: ${start ? `${number(start)} + ` : ""}${term}`
        + (start || term !== number(start + added) ? ` = ${number(start + added)}` : "");
    }).join("; ");
  }

  function maximum(taps, given, output, shape, best, s) {
    const inside = taps.filter(tap => tap.in >= 0), out = taps[0].out, chosen = best.get(out);
    const numbers = inside.map(tap => number(given.x.data[tap.in])).join(", ");
    if (!chosen) return `${place(output, shape, out)} = max() = −∞`;
    const {h, w} = chosen.loop;
    return `${place(output, shape, out)} = max(${numbers}) = ${number(given.x.data[chosen.in])}; `
      + `${place("indices", shape, out)} = ${h}·${s.size[1]} + ${w} = ${h * s.size[1] + w}`;
  }

  function backwardStory(name, operation, s, given, {grain, gradient}) {
    const [input, , output] = NAMES[name], result = E.backward(operation, s, given, gradient);
    const g = `gradient of ${output}`, gx = `gradient of ${input}`, gw = "gradient of weight";
    const arrays = {[g]: {...gradient, role: "input", key: "gradient"},
      [input]: {...given.x, role: "input", key: "x"}};
    if (given.weight) arrays.weight = {...given.weight, role: "weight", key: "weight"};
    if (given.indices) arrays.indices = {...given.indices, role: "input", key: "indices"};
    arrays[gx] = {...result.x, role: "output", of: "x"};
    if (given.weight) arrays[gw] = {...result.weight, role: "output", of: "weight"};
    const sums = {x: E.zeros(given.x.shape), weight: given.weight && E.zeros(given.weight.shape)};
    const known = {x: new Set(), weight: new Set()}, steps = [];
    for (const taps of E.steps(operation, s, given, grain, "backward")) {
      const lines = [];
      for (const tap of taps) {
        if (tap.in < 0 || tap.out < 0) continue;
        const v = gradient.data[tap.out], start = sums.x.data[tap.in];
        sums.x.data[tap.in] += E.coefficient(tap, given.weight) * v;
        known.x.add(tap.in);
        lines.push(`${place(gx, given.x.shape, tap.in)}: ${start ? `${number(start)} + ` : ""}`
          + `${product(tap, given.weight, v)} = ${number(sums.x.data[tap.in])}`);
        if (tap.weight < 0) continue;
        const old = sums.weight.data[tap.weight], x = given.x.data[tap.in];
        sums.weight.data[tap.weight] += tap.share * x * v;
        known.weight.add(tap.weight);
        lines.push(`${place(gw, given.weight.shape, tap.weight)}: ${old ? `${number(old)} + ` : ""}`
          + `${factor(x)}·${factor(v)} = ${number(sums.weight.data[tap.weight])}`);
      }
      const writes = {[gx]: unique(taps.filter(tap => tap.out >= 0).map(tap => tap.in))};
      if (given.weight) writes[gw] = unique(taps.filter(tap => tap.in >= 0 && tap.out >= 0)
        .map(tap => tap.weight));
      steps.push({
        reads: {[g]: unique(taps.map(tap => tap.out)), [input]: unique(taps.map(tap => tap.in))},
        uses: given.weight ? {weight: unique(taps.map(tap => tap.weight))} : {},
        padding: taps.filter(tap => tap.in < 0).map(tap => tap.loop), lost: [],
        writes, loop: taps[0].loop, last: taps[taps.length - 1].loop,
        sum: lines.join("; ") || "0",
        after: {[gx]: snapshot(sums.x, known.x),
          ...(given.weight ? {[gw]: snapshot(sums.weight, known.weight)} : {})},
      });
    }
    return {arrays, steps, input, output};
  }

  // -- Two more views of a transposed convolution ------------------------------------------------

  // As a convolution: y with zeros between its numbers, and the kernel turned by 180 degrees.
  function zerosStory(s, given, options) {
    const [c, h, w] = given.x.shape, [kh, kw] = s.kernel;
    const padding = [0, 1].map(a => s.dilation[a] * (s.kernel[a] - 1) - s.padding[a]);
    if (s.groups !== 1 || padding.some(p => p < 0)) throw new E.Unfit("no_zeros_view");
    const size = [0, 1].map(a => s.stride[a] * (s.size[a] - 1) + 1 + s.output_padding[a]);
    const x = E.zeros([c, ...size]), turned = E.zeros([s.filters, c, kh, kw]);
    for (let k = 0; k < c; k++) {
      for (let i = 0; i < h; i++) for (let j = 0; j < w; j++)
        x.data[E.at(x.shape, k, i * s.stride[0], j * s.stride[1])]
          = given.x.data[E.at(given.x.shape, k, i, j)];
      for (let f = 0; f < s.filters; f++) for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++)
        turned.data[E.at(turned.shape, f, k, i, j)]
          = given.weight.data[E.at(given.weight.shape, k, f, kh - 1 - i, kw - 1 - j)];
    }
    const own = {channels: c, filters: s.filters, size, kernel: s.kernel, stride: [1, 1], padding,
      dilation: s.dilation, groups: 1};
    const told = story("conv2d", own, {x, weight: turned}, {...options, direction: "forward"});
    const names = {x: "y with zeros", weight: "weight turned", y: "x"};
    const renamed = found => Object.fromEntries(Object.entries(found).map(([name, value]) =>
      [names[name] || name, value]));
    const arrays = renamed(told.arrays);
    for (const array of Object.values(arrays)) delete array.key;  // y and weight are edited
    const steps = told.steps.map(step => ({...step, reads: renamed(step.reads),
      uses: renamed(step.uses), writes: renamed(step.writes), after: renamed(step.after),
      sum: step.sum.replace(/^y\[/, "x[")}));
    return {arrays, steps, input: "y with zeros", output: "x", settings: own};
  }

  // As a matrix: each output is a row of C^T times y, both written as columns of numbers.
  function matrixStory(s, given) {
    const operation = E.operations.conv_transpose2d, m = E.matrix(operation, s, given);
    const [, rows, columns] = m.shape;
    if (rows > 100 || columns > 25) throw new E.Unfit("matrix_large");
    const {y: out} = E.forward(operation, s, given), known = Array(rows).fill(null), steps = [];
    const arrays = {"Cᵀ": {...m, role: "weight"},
      y: {shape: [1, columns, 1], data: [...given.x.data], role: "input"},
      x: {shape: [1, rows, 1], data: [...out.data], role: "output"}};
    for (let row = 0; row < rows; row++) {
      const used = [];
      for (let j = 0; j < columns; j++) if (m.data[row * columns + j]) used.push(j);
      known[row] = out.data[row];
      const terms = used.map(j => `${factor(m.data[row * columns + j])}·${factor(given.x.data[j])}`);
      steps.push({reads: {y: used}, uses: {"Cᵀ": used.map(j => row * columns + j)}, padding: [],
        lost: [], writes: {x: [row]}, loop: {}, last: {}, after: {x: [...known]},
        sum: `x[${row}] = ${terms.join(" + ") || "0"} = ${number(out.data[row])}`});
    }
    return {arrays, steps, input: "y", output: "x"};
  }

  // What belongs together: for a place of one array, the places of the others that it meets.
  function links(name, s, given, direction, array, flat, story) {
    const operation = E.operations[name], found = {};
    const names = {x: [story.input], out: [story.output], weight: ["weight"]};
    if (direction === "backward") {
      names.x.push(`gradient of ${story.input}`);
      names.out = [`gradient of ${story.output}`];
      names.weight.push("gradient of weight");
    }
    if (operation.chooses && direction === "forward") names.out.push("indices");
    if (given.indices) names.x.push("indices");
    const side = Object.keys(names).find(one => names[one].includes(array));
    if (!side) return found;
    const field = {x: "in", out: "out", weight: "weight"};
    const taps = direction === "backward" ? E.steps(operation, s, given, "tap", "backward").flat()
      : operation.taps(s, given);
    for (const tap of taps) {
      if (tap[field[side]] !== flat) continue;
      for (const other of Object.keys(names)) if (other !== side && tap[field[other]] >= 0)
        for (const one of names[other]) (found[one] ||= new Set()).add(tap[field[other]]);
    }
    return found;
  }

  // -- Two that have no taps ---------------------------------------------------------------------

  function crossEntropyStory(scores, label) {
    const r = E.crossEntropy(scores, label), n = scores.length, row = data => ({shape: [1, 1, n],
      data, role: "output"}), steps = [], all = [...Array(n).keys()];
    const arrays = {scores: {shape: [1, 1, n], data: [...scores], role: "input", key: "scores"},
      exp: row(r.exps), p: row(r.p), "gradient of scores": row(r.gradient)};
    const values = {exp: Array(n).fill(null), p: Array(n).fill(null),
      "gradient of scores": Array(n).fill(null)};
    const add = (reads, writes, sum) => steps.push({reads, uses: {}, padding: [], lost: [], writes,
      sum, loop: {}, last: {}, after: Object.fromEntries(Object.entries(values)
        .map(([name, data]) => [name, [...data]]))});
    add({scores: all}, {}, `m = max(${scores.map(number).join(", ")}) = ${number(r.largest)}`);
    for (const c of all) {
      values.exp[c] = r.exps[c];
      add({scores: [c]}, {exp: [c]}, `exp[${c}] = exp(${number(scores[c])} − `
        + `${factor(r.largest)}) = ${number(r.exps[c])}`);
    }
    add({exp: all}, {}, `Σ = ${r.exps.map(number).join(" + ")} = ${number(r.sum)}`);
    add({scores: [label]}, {}, `loss = m + log Σ − scores[${label}] = ${number(r.largest)} + `
      + `${number(Math.log(r.sum))} − ${factor(scores[label])} = ${number(r.loss)}`);
    for (const c of all) {
      values.p[c] = r.p[c];
      add({exp: [c]}, {p: [c]}, `p[${c}] = exp[${c}] / Σ = ${number(r.exps[c])} / `
        + `${number(r.sum)} = ${number(r.p[c])}`);
    }
    for (const c of all) {
      values["gradient of scores"][c] = r.gradient[c];
      add({p: [c]}, {"gradient of scores": [c]}, `gradient[${c}] = p[${c}] − `
        + `${c === label ? 1 : 0} = ${number(r.gradient[c])}`);
    }
    return {arrays, steps, input: "scores", output: "p"};
  }

  function iouStory(shape, data) {
    const n = shape[2], counts = Array.from({length: n}, (_, t) => data.slice(t * n, t * n + n));
    const r = E.intersectionOverUnion(counts), known = Array(n).fill(null), steps = [];
    const arrays = {matrix: {shape, data: [...data], role: "input", key: "matrix"},
      IU: {shape: [1, 1, n], data: r.classes.map(one => one.iu), role: "output"}};
    r.classes.forEach((one, c) => {
      known[c] = one.iu;
      const cross = [];
      for (let i = 0; i < n; i++) cross.push(c * n + i, i * n + c);
      steps.push({reads: {matrix: [...new Set(cross)]}, uses: {matrix: [c * n + c]}, padding: [],
        lost: [], writes: {IU: [c]}, loop: {}, last: {}, after: {IU: [...known]},
        sum: `IU[${c}] = ${one.both} / (${one.truth} + ${one.said} − ${one.both}) = `
          + `${one.both} / ${one.union} = ${number(one.iu)}`});
    });
    const have = r.classes.filter(one => !Number.isNaN(one.iu));
    steps.push({reads: {IU: [...known.keys()]}, uses: {}, padding: [], lost: [], writes: {},
      loop: {}, last: {}, after: {IU: [...known]}, sum: `mean IU = (${have.map(one =>
        number(one.iu)).join(" + ")}) / ${have.length} = ${number(r.mean)}`});
    return {arrays, steps, input: "matrix", output: "IU"};
  }

  return {story, zerosStory, matrixStory, links, crossEntropyStory, iouStory, number, place, NAMES};
})();
if (typeof module !== "undefined") module.exports = Stories;
