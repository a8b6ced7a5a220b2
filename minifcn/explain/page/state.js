// What a page shows: its texts, settings and arrays, the state in the address, and the story they make.
"use strict";
const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) node[name] = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

// -- State -------------------------------------------------------------------------------------

const PAIRS = ["size", "kernel", "stride", "padding", "dilation", "output_padding", "out"];
const RANGES = data.ranges, CHOICES = data.choices;
const state = {language: "en", operation: data.operations[0], settings: {}, arrays: {}, step: 0,
  view: "", direction: "forward", grain: "window", predict: false, pinned: null, edited: []};
let told = null, problem = "", revealed = new Set(), timer = null, hovered = null;

const text = (key, values = {}) => {
  const found = data.texts[key];
  const line = found ? found[state.language] || found.en : key;
  return line.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
};
const about = () => data.about[state.operation];
const operation = () => Engine.operations[state.operation];

// Small whole numbers, the same for a shape each time: easy to add up by hand.
function drawn(shape, seed) {
  let r = seed;
  return Engine.of(shape, Array.from({length: Engine.count(shape)}, () => {
    r = (r * 1103515245 + 12345) % 2147483648;
    return Math.floor(r / 65536) % 7 - 2;
  }));
}

// What an operation begins with: in a notebook, the reader's arrays and settings.
const own = name => data.given && name === data.operations[0] ? data.given : {};
const standard = name => ({...data.about[name].settings, ...own(name).settings});

function choose(name, example = own(name)) {
  state.operation = name;
  state.settings = structuredClone({...data.about[name].settings, ...example.settings});
  state.view = about().views[0];
  state.direction = "forward";
  Object.assign(state, {step: 0, pinned: null, edited: [], arrays: {}});
  fill(example.arrays);
}

// Make arrays of the shapes that the settings ask for; keep those that fit.
function fill(given = {}) {
  const name = state.operation, shapes = {};
  problem = "";
  if (name === "cross_entropy") {
    shapes.scores = [1, 1, state.settings.classes];
    state.settings.label = Math.min(state.settings.label, state.settings.classes - 1);
  }
  else if (name === "iou") shapes.matrix = [1, state.settings.classes, state.settings.classes];
  else {
    try {
      Object.assign(shapes, operation().inputs(state.settings));
      shapes.gradient = operation().output(state.settings);
    } catch (error) {
      if (!(error instanceof Engine.Unfit)) throw error;
      problem = error.message;
      return;
    }
  }
  const before = state.arrays;
  state.arrays = {};
  Object.entries(shapes).forEach(([key, shape], i) => {
    const old = given[key] || before[key];
    const fits = old && old.shape.join() === shape.join();
    state.arrays[key] = fits ? Engine.of(shape, old.data) : first(key, shape, i);
  });
  for (const key of state.edited.slice()) if (!state.arrays[key]) state.edited.splice(
    state.edited.indexOf(key), 1);
}

function first(key, shape, i) {
  if (key === "indices") {  // one place in each window, as a pooling leaves it
    const {size: [h, w], kernel: [kh, kw]} = state.settings;
    return Engine.of(shape, Array.from({length: Engine.count(shape)}, (_, flat) => {
      const [, oh, ow] = Engine.placeOf(shape, flat), k = (flat * 5 + 1) % (kh * kw);
      return (oh * kh + Math.floor(k / kw)) * w * kw + ow * kw + k % kw;
    }));
  }
  if (key === "matrix") return Engine.of(shape, drawn(shape, 11).data.map((v, flat) =>
    Math.abs(v) + (flat % (shape[2] + 1) ? 0 : 6)));
  if (key === "x" && operation()?.chooses) {  // all different: cubes modulo such a prime are
    const prime = [11, 41, 101, 149, 587].find(p => p > Engine.count(shape));
    return Engine.of(shape, Array.from({length: Engine.count(shape)}, (_, flat) =>
      flat ** 3 % prime - Math.floor(prime / 3)));
  }
  return drawn(shape, 7 + 4 * i);
}

// -- The state in the address ------------------------------------------------------------------

function toHash() {
  const p = new URLSearchParams({op: state.operation});
  const first = standard(state.operation);
  for (const [name, value] of Object.entries(state.settings))
    if (String(value) !== String(first[name])) p.set(name, String(value));
  for (const name of ["view", "direction", "grain"])
    if (state[name] !== {view: about().views[0], direction: "forward", grain: "window"}[name])
      p.set(name, state[name]);
  if (state.step) p.set("step", state.step);
  if (state.predict) p.set("predict", 1);
  if (state.language !== "en") p.set("lang", state.language);
  if (state.pinned) p.set("pin", `${state.pinned.array}:${state.pinned.flat}`);
  for (const key of state.edited) p.set(`_${key}`, state.arrays[key].data.join(","));
  return `#${p}`;
}

function fromHash(hash) {
  const p = new URLSearchParams(hash.slice(1)), name = p.get("op");
  if (data.texts.title[p.get("lang")]) state.language = p.get("lang");
  choose(data.operations.includes(name) ? name : data.operations[0]);
  for (const [key, value] of Object.entries(state.settings)) if (p.has(key))
    state.settings[key] = read(key, p.get(key), value);
  fill();
  for (const [key, array] of Object.entries(state.arrays)) {
    if (!p.has(`_${key}`)) continue;
    const numbers = p.get(`_${key}`).split(",").map(Number);
    if (numbers.length === array.data.length && numbers.every(v => allowed(key, v))) {
      array.data = numbers;
      state.edited.push(key);
    }
  }
  if (about().views.includes(p.get("view"))) state.view = p.get("view");
  if (p.get("direction") === "backward" && about().backward) state.direction = "backward";
  if (p.get("grain") === "tap") state.grain = "tap";
  state.predict = p.has("predict");
  state.step = Math.max(0, Math.floor(Number(p.get("step"))) || 0);
  const pin = /^(.+):(\d+)$/.exec(p.get("pin") || "");
  if (pin) state.pinned = {array: pin[1], flat: Number(pin[2])};
}

// A setting from text, within its range; what it was where that cannot be.
function read(name, value, before) {
  if (CHOICES[name]) return CHOICES[name].find(one => String(one) === value) ?? before;
  const [low, high] = RANGES[name];
  const numbers = value.split(",").map(Number);
  if (!numbers.every(n => Number.isInteger(n) && n >= low && n <= high)) return before;
  return PAIRS.includes(name) ? (numbers.length === 2 ? numbers : before) : numbers[0];
}

// -- The story ---------------------------------------------------------------------------------

function tell() {
  if (problem) return void (told = null);
  const {settings: s, arrays: a} = state, options = {grain: state.grain,
    direction: state.direction, gradient: a.gradient};
  try {
    if (state.operation === "cross_entropy")
      told = Stories.crossEntropyStory(a.scores.data, s.label);
    else if (state.operation === "iou") told = Stories.iouStory(a.matrix.shape, a.matrix.data);
    else if (state.view === "zeros") told = Stories.zerosStory(s, a, options);
    else if (state.view === "matrix") told = Stories.matrixStory(s, a);
    else told = Stories.story(state.operation, s, a, options);
  } catch (error) {
    if (!(error instanceof Engine.Unfit)) throw error;
    problem = error.message;
    told = null;
    return;
  }
  state.step = Math.min(state.step, told.steps.length - 1);
}

