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
    const full = E.placeOf(shape, flat), first = shape.findIndex(n => n > 1);
    return `${name}[${full.slice(first < 0 ? -1 : first).join(", ")}]`;  // without axes of length 1
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

  // Return {arrays, steps, input, output}: arrays by name {shape, data, role, key}; steps {reads,
  // uses, writes} with places by array's name, {padding, lost} with counters of loops, {sets} with
  // pairs of place and number, {sum}, a function, and {loop, last}, the counters at both ends.
  function story(name, s, given, options) {
    const operation = E.operations[name];
    return options.direction === "backward" ? backwardStory(name, operation, s, given, options)
      : forwardStory(name, operation, s, given, options);
  }

  const unique = places => [...new Set(places.filter(flat => flat >= 0))];
  const ends = taps => ({loop: taps[0].loop, last: taps[taps.length - 1].loop,
    padding: taps.filter(tap => tap.in < 0).map(tap => tap.loop),
    lost: taps.filter(tap => tap.out < 0).map(tap => tap.loop)});

  function givens(input, given) {
    const arrays = {[input]: {...given.x, role: "input", key: "x"}};
    if (given.weight) arrays.weight = {...given.weight, role: "weight", key: "weight"};
    if (given.indices) arrays.indices = {...given.indices, role: "input", key: "indices"};
    return arrays;
  }

  function forwardStory(name, operation, s, given, {grain}) {
    if (operation.chooses) return poolingStory(name, operation, s, given, grain);
    const [input, , output] = NAMES[name], {y} = E.forward(operation, s, given);
    const arrays = {...givens(input, given), [output]: {...y, role: "output"}};
    const sums = E.zeros(y.shape);
    const steps = E.steps(operation, s, given, grain, "forward").map(taps => {
      const inside = taps.filter(tap => tap.out >= 0), outs = unique(taps.map(tap => tap.out));
      const before = new Map(outs.map(out => [out, sums.data[out]]));
      for (const tap of inside)
        sums.data[tap.out] += E.coefficient(tap, given.weight) * E.value(tap, given.x);
      const sets = outs.map(out => [out, sums.data[out]]), read = unique(taps.map(tap => tap.in));
      return {...ends(taps), writes: {[output]: outs}, sets: {[output]: sets},
        reads: {[input]: read, ...(given.indices ? {indices: read} : {})},
        uses: given.weight ? {weight: unique(taps.map(tap => tap.weight))} : {},
        sum: () => sumOf(inside, given, input, output, y.shape, before)};
    });
    return {arrays, steps, input, output, begins: operation.scatters ? 0 : null};
  }

  function poolingStory(name, operation, s, given, grain) {
    const [input, , output] = NAMES[name], {y, chosen} = E.forward(operation, s, given);
    const plane = s.size[0] * s.size[1], indices = E.zeros(y.shape), best = new Map();
    for (const [out, tap] of chosen) indices.data[out] = tap.in % plane;
    const arrays = {...givens(input, given), [output]: {...y, role: "output"},
      indices: {...indices, role: "output"}};
    const steps = E.steps(operation, s, given, grain, "forward").map(taps => {
      const out = taps[0].out, before = best.get(out);
      for (const tap of taps) {
        const now = best.get(out);
        if (tap.in >= 0 && (!now || given.x.data[tap.in] > given.x.data[now.in])) best.set(out, tap);
      }
      const now = best.get(out), read = unique(taps.map(tap => tap.in));
      return {...ends(taps), uses: {}, reads: {[input]: read},
        writes: {[output]: [out], indices: [out]},
        sets: now ? {[output]: [[out, given.x.data[now.in]]], indices: [[out, now.in % plane]]} : {},
        sum: () => maximum(taps, given, place(output, y.shape, out), before, now, s,
          place("indices", y.shape, out))};
    });
    return {arrays, steps, input, output, begins: null};
  }

  // The products of one result, added; or of several, each with its own line.
  function sumOf(taps, given, input, output, shape, before) {
    const groups = new Map();
    for (const tap of taps) groups.set(tap.out, [...(groups.get(tap.out) || []), tap]);
    const from = unique(taps.map(tap => tap.in));
    const head = groups.size > 1 && from.length === 1
      ? [`${place(input, given.x.shape, from[0])} = ${number(given.x.data[from[0]])}`] : [];
    return [...head, ...[...groups].map(([out, own]) => {
      const terms = own.map(tap => [product(tap, given.weight, E.value(tap, given.x)),
        E.coefficient(tap, given.weight) * E.value(tap, given.x)]);
      return equation(place(output, shape, out), before.get(out), terms);
    })].join("\n") || "0";
  }

  // name = before + term + term = value, each only where it says something.
  function equation(name, before, terms) {
    const value = terms.reduce((sum, [, v]) => sum + v, before);
    const parts = [...(before ? [number(before)] : []), ...terms.map(([label]) => label)];
    const left = parts.join(" + ") || "0";
    return `${name} = ${left}${left === number(value) ? "" : ` = ${number(value)}`}`;
  }

  function maximum(taps, given, name, before, now, s, index) {
    const inside = taps.filter(tap => tap.in >= 0).map(tap => number(given.x.data[tap.in]));
    if (before) inside.unshift(number(given.x.data[before.in]));
    if (!now) return `${name} = −∞`;
    const {h, w} = now.loop;
    return `${name} = max(${inside.join(", ")}) = ${number(given.x.data[now.in])}\n`
      + `${index} = ${h}·${s.size[1]} + ${w} = ${h * s.size[1] + w}`;
  }

  function backwardStory(name, operation, s, given, {grain, gradient}) {
    const [input, , output] = NAMES[name], result = E.backward(operation, s, given, gradient);
    const g = `d${output}`, gx = `d${input}`, gw = "dweight";
    const arrays = {[g]: {...gradient, role: "gradient", key: "gradient"}, ...givens(input, given),
      [gx]: {...result.x, role: "output", of: "x"}};
    if (given.weight) arrays[gw] = {...result.weight, role: "output", of: "weight"};
    const x = E.zeros(given.x.shape), weight = given.weight && E.zeros(given.weight.shape);
    const steps = E.steps(operation, s, given, grain, "backward").map(taps => {
      const inside = taps.filter(tap => tap.in >= 0 && tap.out >= 0);
      const groups = [[gx, x, "in", tap => [product(tap, given.weight, gradient.data[tap.out]),
        E.coefficient(tap, given.weight) * gradient.data[tap.out]]]];
      if (weight) groups.push([gw, weight, "weight", tap => [`${factor(given.x.data[tap.in])}·`
        + factor(gradient.data[tap.out]), tap.share * given.x.data[tap.in]
        * gradient.data[tap.out]]]);
      const writes = {}, sets = {}, lines = [];
      for (const [array, sums, key, term] of groups) {
        const own = new Map();
        for (const tap of inside) own.set(tap[key], [...(own.get(tap[key]) || []), tap]);
        writes[array] = [...own.keys()];
        sets[array] = [...own].map(([flat, list]) => {
          const before = sums.data[flat];
          for (const tap of list) sums.data[flat] += term(tap)[1];
          lines.push(() => equation(place(array, sums.shape, flat), before, list.map(term)));
          return [flat, sums.data[flat]];
        });
      }
      return {...ends(taps), lost: [], writes, sets,
        reads: {[g]: unique(taps.map(tap => tap.out)), [input]: unique(taps.map(tap => tap.in)),
          ...(given.indices ? {indices: unique(taps.map(tap => tap.in))} : {})},
        uses: given.weight ? {weight: unique(taps.map(tap => tap.weight))} : {},
        sum: () => lines.map(line => line()).join("\n") || "0"};
    });
    return {arrays, steps, input, output, begins: 0};
  }

  // The numbers of the results once a step is done: null where none is known yet. What is scattered
  // into begins with zeros.
  function valuesAt(told, step) {
    const values = {};
    for (const [name, array] of Object.entries(told.arrays))
      if (array.role === "output") values[name] = Array(array.data.length).fill(told.begins);
    for (let i = 0; i <= step; i++) for (const [name, pairs] of Object.entries(told.steps[i].sets))
      for (const [flat, v] of pairs) values[name][flat] = v;
    return values;
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
      uses: renamed(step.uses), writes: renamed(step.writes), sets: renamed(step.sets),
      sum: () => step.sum().replace(/^y\[/gm, "x[")}));
    const taps = [...E.operations.conv2d.taps(own)].map(tap =>
      ({"y with zeros": tap.in, "weight turned": tap.weight, x: tap.out}));
    return {arrays, steps, taps, input: "y with zeros", output: "x", settings: own, begins: null};
  }

  // As a matrix: each output is a row of C^T times y, both written as columns of numbers.
  function matrixStory(s, given) {
    const operation = E.operations.conv_transpose2d, m = E.matrix(operation, s, given);
    const [, rows, columns] = m.shape;
    if (rows > 100 || columns > 25) throw new E.Unfit("matrix_large");
    const {y: out} = E.forward(operation, s, given), steps = [], taps = [];
    const arrays = {"Cᵀ": {...m, role: "weight"},
      y: {shape: [1, columns, 1], data: [...given.x.data], role: "input"},
      x: {shape: [1, rows, 1], data: [...out.data], role: "output"}};
    for (let row = 0; row < rows; row++) {
      const used = [];
      for (let j = 0; j < columns; j++) if (m.data[row * columns + j]) used.push(j);
      for (const j of used) taps.push({"Cᵀ": row * columns + j, y: j, x: row});
      const terms = used.map(j => [`${factor(m.data[row * columns + j])}·${factor(given.x.data[j])}`,
        m.data[row * columns + j] * given.x.data[j]]);
      steps.push({reads: {y: used}, uses: {"Cᵀ": used.map(j => row * columns + j)}, padding: [],
        lost: [], writes: {x: [row]}, loop: {}, last: {}, sets: {x: [[row, out.data[row]]]},
        sum: () => equation(place("x", arrays.x.shape, row), 0, terms)});
    }
    return {arrays, steps, taps, input: "y", output: "x", begins: null};
  }

  // What belongs together: for a place of one array, the places of the others that it meets.
  function links(name, s, given, direction, array, flat, story) {
    const operation = E.operations[name], found = {};
    const names = {x: [story.input], out: [story.output], weight: ["weight"]};
    if (direction === "backward") {
      names.x.push(`d${story.input}`);
      names.out = [`d${story.output}`];
      names.weight.push("dweight");
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

  // The same of other stories, from their taps by array's name; where there are none, what the steps
  // that write something have together.
  function linksOfSteps(told, array, flat) {
    const found = {};
    if (told.taps) {
      for (const tap of told.taps) if (tap[array] === flat) for (const [name, one] of
        Object.entries(tap)) if (name !== array && one >= 0) (found[name] ||= new Set()).add(one);
      return found;
    }
    for (const step of told.steps) {
      const sides = [step.reads, step.uses, step.writes];
      if (!Object.keys(step.writes).length || !sides.some(side => side[array]?.includes(flat)))
        continue;
      for (const side of sides) for (const [name, flats] of Object.entries(side))
        if (name !== array) for (const one of flats) (found[name] ||= new Set()).add(one);
    }
    return found;
  }

  // -- Two that have no taps ---------------------------------------------------------------------

  function crossEntropyStory(scores, label) {
    const r = E.crossEntropy(scores, label), n = scores.length, all = [...Array(n).keys()];
    const row = data => ({shape: [1, 1, n], data, role: "output"}), steps = [];
    const arrays = {scores: {...row([...scores]), role: "input", key: "scores"},
      exp: row(r.exps), p: row(r.p), dscores: {...row(r.gradient), of: "scores"}};
    const add = (reads, writes, sum) => steps.push({reads, uses: {}, padding: [], lost: [], writes,
      loop: {}, last: {}, sum: () => sum, sets: Object.fromEntries(Object.entries(writes)
        .map(([name, flats]) => [name, flats.map(flat => [flat, arrays[name].data[flat]])]))});
    add({scores: all}, {}, `m = max(${scores.map(number).join(", ")}) = ${number(r.largest)}`);
    for (const c of all) add({scores: [c]}, {exp: [c]}, `exp[${c}] = exp(${number(scores[c])} − `
      + `${factor(r.largest)}) = ${number(r.exps[c])}`);
    add({exp: all}, {}, `Σ = ${r.exps.map(number).join(" + ")} = ${number(r.sum)}`);
    add({scores: [label]}, {}, `loss = m + log Σ − scores[${label}] = ${number(r.largest)} + `
      + `${factor(Math.log(r.sum))} − ${factor(scores[label])} = ${number(r.loss)}`);
    for (const c of all) add({exp: [c]}, {p: [c]}, `p[${c}] = exp[${c}] / Σ = `
      + `${number(r.exps[c])} / ${number(r.sum)} = ${number(r.p[c])}`);
    for (const c of all) add({p: [c]}, {dscores: [c]}, `dscores[${c}] = p[${c}] − `
      + `${c === label ? 1 : 0} = ${number(r.gradient[c])}`);
    return {arrays, steps, input: "scores", output: "p", begins: null};
  }

  function iouStory(shape, data) {
    const n = shape[2], counts = Array.from({length: n}, (_, t) => data.slice(t * n, t * n + n));
    const r = E.intersectionOverUnion(counts), steps = [];
    const arrays = {matrix: {shape, data: [...data], role: "input", key: "matrix"},
      IU: {shape: [1, 1, n], data: r.classes.map(one => one.iu), role: "output"}};
    const add = (step, sum) => steps.push({uses: {}, padding: [], lost: [], writes: {}, sets: {},
      loop: {}, last: {}, sum: () => sum, ...step});
    r.classes.forEach((one, c) => {
      const cross = [];
      for (let i = 0; i < n; i++) cross.push(c * n + i, i * n + c);
      add({reads: {matrix: unique(cross)}, uses: {matrix: [c * n + c]}, writes: {IU: [c]},
        sets: {IU: [[c, one.iu]]}}, `IU[${c}] = ${one.both} / (${one.truth} + ${one.said} − `
        + `${one.both}) = ${one.both} / ${one.union} = ${number(one.iu)}`);
    });
    const have = r.classes.filter(one => !Number.isNaN(one.iu)).map(one => number(one.iu));
    add({reads: {IU: [...Array(n).keys()]}}, have.length ? `mean IU = (${have.join(" + ")}) `
      + `/ ${have.length} = ${number(r.mean)}` : "mean IU = NaN");
    return {arrays, steps, input: "matrix", output: "IU", begins: null};
  }

  return {story, zerosStory, matrixStory, links, linksOfSteps, valuesAt, crossEntropyStory, iouStory, number, place, NAMES};
})();
if (typeof module !== "undefined") module.exports = Stories;
