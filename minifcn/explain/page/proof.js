// Whether a case that minifcn's kernels computed comes out the same here. No DOM: tested in node.
"use strict";
const Proof = (() => {
  const E = typeof Engine === "undefined" ? require("./engine.js") : Engine;

  // Equal but for rounding: sums may be added in another order.
  const same = (found, wanted) => found.length === wanted.length && found.every((v, i) =>
    v === wanted[i] || Math.abs(v - wanted[i]) <= 1e-9 * Math.max(1, Math.abs(wanted[i]))
    || (Number.isNaN(v) && wanted[i] === null));

  // A case: {operation, settings, given, y, indices, gradient, x, weight}; the last two are gradients.
  function holds(one) {
    if (one.operation === "cross_entropy") {
      const r = E.crossEntropy(one.scores, one.label);
      return same([r.loss, ...r.gradient], one.results);
    }
    if (one.operation === "iou") {
      const r = E.intersectionOverUnion(one.counts);
      return same([...r.classes.map(c => c.iu), r.mean], one.results);
    }
    const operation = E.operations[one.operation], given = {};
    const shapes = operation.inputs(one.settings);
    for (const [key, shape] of Object.entries(shapes)) given[key] = E.of(shape, one.given[key]);
    const {y, chosen} = E.forward(operation, one.settings, given);
    if (y.shape.join() !== one.shape.join() || !same(y.data, one.y)) return false;
    if (one.indices) {
      const plane = shapes.x[1] * shapes.x[2];
      if (!same(y.data.map((_, out) => chosen.get(out).in % plane), one.indices)) return false;
    }
    const back = E.backward(operation, one.settings, given, E.of(y.shape, one.gradient));
    return same(back.x.data, one.x) && (!one.weight || same(back.weight.data, one.weight));
  }
  return {holds, same};
})();
if (typeof module !== "undefined") module.exports = Proof;
