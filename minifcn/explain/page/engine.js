// What each operation computes: the loops of minifcn/kernels/reference.py, as lists of taps.
//
// A tap says that out[tap.out] += share * weight[tap.weight] * x[tap.in]; `loop` has the counters of
// the loops as they are at that moment. From its taps follow an operation, its gradients, and every
// step that a page shows. No DOM here: the tests run this file in node.
"use strict";
const Engine = (() => {
  // -- Arrays ------------------------------------------------------------------------------------

  const count = shape => shape.reduce((a, b) => a * b, 1);
  const zeros = shape => ({shape: [...shape], data: Array(count(shape)).fill(0)});
  const of = (shape, data) => ({shape: [...shape], data: [...data]});
  const at = (shape, ...place) => place.reduce((flat, i, axis) => flat * shape[axis] + i, 0);
  const placeOf = (shape, flat) => {
    const place = [];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place.unshift(flat % shape[axis]);
      flat = Math.floor(flat / shape[axis]);
    }
    return place;
  };

  // -- Sizes: see kernels/geometry.py ------------------------------------------------------------

  const convSize = (n, k, s, p, d) => Math.floor((n + 2 * p - d * (k - 1) - 1) / s) + 1;
  const transposedSize = (n, k, s, p, d, a) => s * (n - 1) + d * (k - 1) + 1 - 2 * p + a;
  class Unfit extends Error {}
  const fits = (sizes, key) => {
    if (sizes.some(n => !(n >= 1))) throw new Unfit(key);
    return sizes;
  };
  const windows = s => fits([0, 1].map(a =>
    convSize(s.size[a], s.kernel[a], s.stride[a], s.padding[a], s.dilation[a])), "no_window");
  const stamped = s => {
    if ([0, 1].some(a => s.output_padding[a] >= Math.max(s.stride[a], s.dilation[a])))
      throw new Unfit("output_padding_large");
    return fits([0, 1].map(a => transposedSize(s.size[a], s.kernel[a], s.stride[a], s.padding[a],
      s.dilation[a], s.output_padding[a])), "no_output");
  };
  const grouped = s => {
    if (s.channels % s.groups || s.filters % s.groups) throw new Unfit("groups_unfit");
  };

  // Kernel element (i, j) of window (oh, ow) meets pixel (h, w); what lies on the padding too.
  function* meetings(size, out, s) {
    for (let oh = 0; oh < out[0]; oh++) for (let ow = 0; ow < out[1]; ow++)
      for (let i = 0; i < s.kernel[0]; i++) for (let j = 0; j < s.kernel[1]; j++) {
        const h = oh * s.stride[0] - s.padding[0] + i * s.dilation[0];
        const w = ow * s.stride[1] - s.padding[1] + j * s.dilation[1];
        const inside = 0 <= h && h < size[0] && 0 <= w && w < size[1];
        yield {oh, ow, i, j, h, w, inside};
      }
  }

  // -- Operations with taps ----------------------------------------------------------------------

  const conv2d = {
    settings: ["channels", "filters", "size", "kernel", "stride", "padding", "dilation", "groups"],
    inputs: s => ({x: [s.channels, ...s.size],
      weight: [s.filters, s.channels / s.groups, ...s.kernel]}),
    output: s => (grouped(s), [s.filters, ...windows(s)]),
    *taps(s) {
      const shapes = this.inputs(s), y = this.output(s), each = s.channels / s.groups;
      for (let f = 0; f < s.filters; f++)
        for (const {oh, ow, i, j, h, w, inside} of meetings(s.size, y.slice(1), s))
          for (let cg = 0; cg < each; cg++) {
            const c = Math.floor(f / (s.filters / s.groups)) * each + cg;
            yield {out: at(y, f, oh, ow), in: inside ? at(shapes.x, c, h, w) : -1,
              weight: at(shapes.weight, f, cg, i, j), share: 1, loop: {f, c, oh, ow, i, j, h, w}};
          }
    },
  };

  const conv_transpose2d = {
    settings: ["channels", "filters", "size", "kernel", "stride", "padding", "output_padding",
      "dilation", "groups"],
    inputs: s => ({x: [s.channels, ...s.size],
      weight: [s.channels, s.filters / s.groups, ...s.kernel]}),
    output: s => (grouped(s), [s.filters, ...stamped(s)]),
    scatters: true,
    *taps(s) {
      const shapes = this.inputs(s), out = this.output(s), each = s.filters / s.groups;
      for (let f = 0; f < s.channels; f++)
        for (const {oh, ow, i, j, h, w, inside} of meetings(out.slice(1), s.size, s))
          for (let cg = 0; cg < each; cg++) {
            const c = Math.floor(f / (s.channels / s.groups)) * each + cg;
            yield {out: inside ? at(out, c, h, w) : -1, in: at(shapes.x, f, oh, ow),
              weight: at(shapes.weight, f, cg, i, j), share: 1, loop: {f, c, oh, ow, i, j, h, w}};
          }
    },
  };

  const conv1x1 = {
    settings: ["channels", "filters", "size"],
    inputs: s => ({x: [s.channels, ...s.size], weight: [s.filters, s.channels]}),
    output: s => [s.filters, ...s.size],
    *taps(s) {
      const shapes = this.inputs(s), y = this.output(s);
      for (let f = 0; f < s.filters; f++) for (let h = 0; h < s.size[0]; h++)
        for (let w = 0; w < s.size[1]; w++) for (let c = 0; c < s.channels; c++)
          yield {out: at(y, f, h, w), in: at(shapes.x, c, h, w),
            weight: at(shapes.weight, f, c), share: 1, loop: {f, c, h, w}};
    },
  };

  // Columns are drawn as the matrix (C KH KW, OH OW) that a convolution multiplies with.
  const columns = s => [s.channels * count(s.kernel), count(windows(s))];
  function* layout(s, turned) {
    const shape = columns(s), out = windows(s), image = [s.channels, ...s.size];
    for (let c = 0; c < s.channels; c++) for (const {oh, ow, i, j, h, w, inside} of
      meetings(s.size, out, s)) {
      const row = at([s.channels, ...s.kernel], c, i, j), column = oh * out[1] + ow;
      const there = at([1, ...shape], 0, row, column), here = inside ? at(image, c, h, w) : -1;
      yield {out: turned ? here : there, in: turned ? there : here, weight: -1, share: 1,
        loop: {c, oh, ow, i, j, h, w}};
    }
  }
  const window_settings = ["channels", "size", "kernel", "stride", "padding", "dilation"];
  const im2col = {
    settings: window_settings,
    inputs: s => ({x: [s.channels, ...s.size]}),
    output: s => [1, ...columns(s)],
    taps: s => layout(s, false),
    step: tap => `${tap.loop.c} ${tap.loop.oh} ${tap.loop.ow}`,
  };
  const col2im = {
    settings: window_settings,
    inputs: s => ({x: [1, ...columns(s)]}),
    output: s => (windows(s), [s.channels, ...s.size]),
    scatters: true,
    taps: s => layout(s, true),
    step: tap => `${tap.loop.c} ${tap.loop.oh} ${tap.loop.ow}`,
  };

  const max_pool2d = {
    settings: window_settings,
    inputs: s => ({x: [s.channels, ...s.size]}),
    output: s => {
      if ([0, 1].some(a => 2 * s.padding[a] > s.kernel[a])) throw new Unfit("padding_over_half");
      return [s.channels, ...windows(s)];
    },
    chooses: true,
    *taps(s) {
      const x = [s.channels, ...s.size], y = this.output(s);
      for (let c = 0; c < s.channels; c++)
        for (const {oh, ow, i, j, h, w, inside} of meetings(s.size, y.slice(1), s))
          yield {out: at(y, c, oh, ow), in: inside ? at(x, c, h, w) : -1, weight: -1, share: 1,
            loop: {c, oh, ow, i, j, h, w}};
    },
  };

  // Back to the size before a pooling of k x k at stride k, by switches, nails or repetition.
  const max_unpool2d = {
    settings: ["channels", "size", "kernel", "way"],
    inputs: s => s.way === "switches"
      ? {x: [s.channels, ...s.size], indices: [s.channels, ...s.size]}
      : {x: [s.channels, ...s.size]},
    output: s => [s.channels, s.size[0] * s.kernel[0], s.size[1] * s.kernel[1]],
    scatters: true,
    *taps(s, given) {
      const x = [s.channels, ...s.size], out = this.output(s);
      for (let c = 0; c < s.channels; c++) for (let oh = 0; oh < s.size[0]; oh++)
        for (let ow = 0; ow < s.size[1]; ow++) {
          const from = at(x, c, oh, ow), top = oh * s.kernel[0], left = ow * s.kernel[1];
          if (s.way === "switches") {
            const place = given.indices.data[from], [h, w] = placeOf(out.slice(1), place);
            yield {out: at(out, c, h, w), in: from, weight: -1, share: 1,
              loop: {c, oh, ow, h, w}};
            continue;
          }
          const [rows, cols] = s.way === "nails" ? [1, 1] : s.kernel;
          for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++)
            yield {out: at(out, c, top + i, left + j), in: from, weight: -1, share: 1,
              loop: {c, oh, ow, h: top + i, w: left + j}};
        }
    },
  };

  // The input positions that an output position is made from, with their shares.
  function neighbours(n, out, mode, corners) {
    const step = corners ? (out > 1 ? (n - 1) / (out - 1) : 0) : n / out;
    return Array.from({length: out}, (_, i) => {
      if (mode === "nearest") return [[Math.min(Math.floor(i * step), n - 1), 1]];
      let position = corners ? i * step : Math.max((i + 0.5) * step - 0.5, 0);
      position = Math.min(position, n - 1);
      const low = Math.floor(position), high = Math.min(low + 1, n - 1), part = position - low;
      return low === high ? [[low, 1]] : [[low, 1 - part], [high, part]];
    });
  }
  const interpolate = {
    settings: ["channels", "size", "out", "mode", "align_corners"],
    inputs: s => ({x: [s.channels, ...s.size]}),
    output: s => [s.channels, ...s.out],
    *taps(s) {
      const x = [s.channels, ...s.size], y = this.output(s);
      const [rows, cols] = [0, 1].map(a =>
        neighbours(s.size[a], s.out[a], s.mode, s.mode === "bilinear" && s.align_corners));
      for (let c = 0; c < s.channels; c++) for (let oh = 0; oh < s.out[0]; oh++)
        for (let ow = 0; ow < s.out[1]; ow++)
          for (const [h, a] of rows[oh]) for (const [w, b] of cols[ow])
            yield {out: at(y, c, oh, ow), in: at(x, c, h, w), weight: -1, share: a * b,
              loop: {c, oh, ow, h, w}};
    },
  };

  // -- What follows from taps --------------------------------------------------------------------

  const coefficient = (tap, weight) => tap.share * (tap.weight < 0 ? 1 : weight.data[tap.weight]);
  const value = (tap, x) => tap.in < 0 ? 0 : x.data[tap.in];

  // Return {y, chosen}: chosen[out] is the tap that a maximum came from.
  function forward(operation, s, given) {
    const y = zeros(operation.output(s)), chosen = new Map();
    if (operation.chooses) {
      for (const tap of operation.taps(s, given)) {
        const best = chosen.get(tap.out);
        if (tap.in < 0 || (best && !(given.x.data[tap.in] > y.data[tap.out]))) continue;
        chosen.set(tap.out, tap);
        y.data[tap.out] = given.x.data[tap.in];
      }
      return {y, chosen};
    }
    for (const tap of operation.taps(s, given))
      if (tap.out >= 0) y.data[tap.out] += coefficient(tap, given.weight) * value(tap, given.x);
    return {y, chosen};
  }

  // The taps that carry a gradient: all, or those that were chosen.
  function carriers(operation, s, given) {
    const taps = [...operation.taps(s, given)];
    if (!operation.chooses) return taps;
    const {chosen} = forward(operation, s, given);
    return taps.filter(tap => {
      const best = chosen.get(tap.out);
      return best && best.in === tap.in && tap.in >= 0;
    });
  }

  // The gradients of sum(gradient * y) with respect to x and weight.
  function backward(operation, s, given, gradient) {
    const x = zeros(given.x.shape), weight = given.weight && zeros(given.weight.shape);
    for (const tap of carriers(operation, s, given)) {
      if (tap.out < 0 || tap.in < 0) continue;
      const g = gradient.data[tap.out];
      x.data[tap.in] += coefficient(tap, given.weight) * g;
      if (tap.weight >= 0) weight.data[tap.weight] += tap.share * given.x.data[tap.in] * g;
    }
    return {x, weight};
  }

  // (L(v + eps) - L(v - eps)) / 2 eps of L = sum(gradient * y), for one number of x or weight.
  function difference(operation, s, given, gradient, name, flat, eps = 1e-4) {
    const loss = step => {
      const moved = {...given, [name]: of(given[name].shape, given[name].data)};
      moved[name].data[flat] += step;
      const {y} = forward(operation, s, moved);
      return y.data.reduce((sum, number, i) => sum + number * gradient.data[i], 0);
    };
    return (loss(eps) - loss(-eps)) / (2 * eps);
  }

  // The steps of an operation: lists of taps that are done at once, in the order of the loops.
  // grain: 'window' or 'tap'. Operations that scatter go input by input, the others output by output.
  function steps(operation, s, given, grain, direction) {
    const taps = direction === "backward" ? carriers(operation, s, given)
      : [...operation.taps(s, given)];
    const key = operation.step || (tap => operation.scatters ? tap.in : tap.out);
    if (grain === "tap") return taps.map(tap => [tap]);
    const found = new Map();
    for (const tap of taps) {
      const name = key(tap);
      if (!found.has(name)) found.set(name, []);
      found.get(name).push(tap);
    }
    return [...found.values()];
  }

  // The matrix (outputs, inputs) of a linear operation.
  function matrix(operation, s, given) {
    const y = operation.output(s), m = zeros([1, count(y), count(given.x.shape)]);
    for (const tap of operation.taps(s, given))
      if (tap.out >= 0 && tap.in >= 0)
        m.data[tap.out * m.shape[2] + tap.in] += coefficient(tap, given.weight);
    return m;
  }

  // -- Operations without taps -------------------------------------------------------------------

  // One pixel: scores, its true class. Steps: the largest, exp, their sum, the loss.
  function crossEntropy(scores, label) {
    const largest = Math.max(...scores), exps = scores.map(v => Math.exp(v - largest));
    const sum = exps.reduce((a, b) => a + b, 0), log = largest + Math.log(sum);
    const p = scores.map(v => Math.exp(v - log));
    return {largest, exps, sum, log, p, loss: log - scores[label],
      gradient: p.map((v, c) => v - (c === label ? 1 : 0))};
  }

  // counts[t][p], rows are the truth. Of each class: both, either, IU (NaN where in neither).
  function intersectionOverUnion(counts) {
    const classes = counts.map((row, c) => {
      const truth = row.reduce((a, b) => a + b, 0);
      const said = counts.reduce((a, other) => a + other[c], 0);
      const union = truth + said - row[c];
      return {truth, said, both: row[c], union, iu: union ? row[c] / union : NaN};
    });
    const known = classes.map(one => one.iu).filter(iu => !Number.isNaN(iu));
    return {classes, mean: known.length ? known.reduce((a, b) => a + b, 0) / known.length : NaN};
  }

  const operations = {conv2d, conv_transpose2d, conv1x1, im2col, col2im, max_pool2d, max_unpool2d,
    interpolate};
  return {operations, Unfit, zeros, of, at, placeOf, count, forward, backward, difference, steps,
    matrix, coefficient, value, crossEntropy, intersectionOverUnion};
})();
if (typeof module !== "undefined") module.exports = Engine;
