// What is drawn: what changes with a step, controls, the size formula and the calls.
"use strict";
// -- What changes with a step ------------------------------------------------------------------

function paint() {
  const now = told && told.steps[state.step];
  if (!now) return;
  const padded = new Set(now.padding.map(({c = 0, h, w}) => `${c},${h},${w}`));
  const hides = state.predict && !revealed.has(state.step);
  const known = valuesNow();
  for (const [name, array] of Object.entries(told.arrays)) {
    const after = known[name], own = cells[name];
    const read = new Set(now.reads[name]), used = new Set(now.uses[name]);
    const write = new Set(now.writes[name]);
    for (let flat = 0; flat < own.length; flat++) {
      const td = own[flat], v = after ? after[flat] : array.data[flat];
      const asked = hides && write.has(flat);
      const shown = asked ? "?" : v === null || v === undefined ? "" : Stories.number(v);
      if (td.textContent !== shown) td.textContent = shown;
      const classes = [read.has(flat) && "read", used.has(flat) && "used",
        write.has(flat) && "write", asked && "asked",
        state.pinned?.array === name && state.pinned.flat === flat && "pinned"]
        .filter(Boolean).join(" ");
      if (td.classes !== classes) {
        td.classes = classes;
        td.className = framed.has(td) ? `${classes} linked` : classes;
      }
    }
  }
  for (const td of $("panels").querySelectorAll(".pad"))
    td.classList.toggle("read", padded.has(td.dataset.at));
  $("at").value = state.step;
  $("count").textContent = text("step_of", {step: state.step + 1, steps: told.steps.length});
  $("sum").textContent = hides ? text("guess_first") : now.sum();
  $("say").textContent = spoken(now, hides);
  $("guess").hidden = !state.predict || !Object.values(now.writes).flat().length;
  paintLoop(now);
  paintPin();
  mark();
  remember();
  const scrolls = $("sum").scrollHeight > $("sum").clientHeight;
  if (scrolls) $("sum").tabIndex = 0;  // so that keys scroll it
  else $("sum").removeAttribute("tabindex");
}

// The state goes into the address, a few times a second at most: browsers refuse more.
let remembered = null, written = 0;
function remember() {
  if (remembered || location.protocol === "about:") return;
  remembered = setTimeout(() => {
    remembered = null;
    written = Date.now();
    history.replaceState(null, "", toHash());
  }, Math.max(0, written + 400 - Date.now()));
}

// The numbers that are known at this step; from the step before where that was the last one shown.
let latest = {told: null, step: -1, values: {}};
function valuesNow() {
  if (latest.told === told && latest.step === state.step - 1) {
    for (const [name, pairs] of Object.entries(told.steps[state.step].sets))
      for (const [flat, v] of pairs) latest.values[name][flat] = v;
    latest.step = state.step;
  } else if (latest.told !== told || latest.step !== state.step)
    latest = {told, step: state.step, values: Stories.valuesAt(told, state.step)};
  return latest.values;
}

function spoken(now, hides) {
  const list = (side) => Object.entries(side).filter(([, flats]) => flats.length)
    .map(([name, flats]) => flats.length === 1
      ? Stories.place(name, told.arrays[name].shape, flats[0])
      : text("numbers_of", {count: flats.length, name})).join(text("and"));
  const writes = list(now.writes);
  const parts = [text("step_of", {step: state.step + 1, steps: told.steps.length}) + ".",
    text("reads", {what: list(now.reads)})];
  if (now.padding.length) parts.push(text("on_padding", {count: now.padding.length}));
  if (now.lost.length) parts.push(text("cut_away", {count: now.lost.length}));
  if (writes) parts.push(text("writes", {what: writes}));
  return parts.join(" ") + (hides ? ` ${text("predict_now")}` : "");
}

function code() {
  const source = about().code[state.direction];
  $("code-part").hidden = !source.length;
  $("code").replaceChildren(...source.flatMap(one => [
    ...one.lines.map((line, i) => make(one.marked.includes(i) ? "mark" : "span", {}, `${line}\n`)),
  ]));
}

function paintLoop(now) {
  const range = key => now.loop[key] === now.last[key] || now.last[key] === undefined
    ? now.loop[key] : `${now.loop[key]} … ${now.last[key]}`;
  $("loop").textContent = Object.keys(now.loop).map(key => `${key} = ${range(key)}`).join(", ");
}

// What a number of the story takes long to compute, until the story or the number is another one.
function kept(compute) {
  let last = {};
  return (array, flat) => {
    if (last.told !== told || last.array !== array || last.flat !== flat)
      last = {told, array, flat, result: compute(array, flat)};
    return last.result;
  };
}
const difference = kept((array, flat) => {
  if (state.operation !== "cross_entropy") return Engine.difference(operation(), state.settings,
    state.arrays, state.arrays.gradient, told.arrays[array].of, flat);
  const loss = e => Engine.crossEntropy(state.arrays.scores.data.map((v, c) =>
    c === flat ? v + e : v), state.settings.label).loss;
  return (loss(1e-4) - loss(-1e-4)) / 2e-4;
});
const linked = kept((array, flat) => operation() && ["", "stamps"].includes(state.view)
  ? Stories.links(state.operation, state.settings, state.arrays, state.direction, array, flat, told)
  : Stories.linksOfSteps(told, array, flat));

function paintPin() {
  const pinned = state.pinned, out = $("pin");
  const array = pinned && told.arrays[pinned.array];
  if (!array || pinned.flat >= array.data.length) return void (out.textContent = text("pin_hint"));
  const where = Stories.place(pinned.array, array.shape, pinned.flat);
  if (array.of) {
    const gradient = array.data[pinned.flat], measured = difference(pinned.array, pinned.flat);
    out.textContent = text("pin_difference", {where, gradient: Stories.number(gradient),
      difference: measured.toFixed(4).replace("-", "−")});
    if (operation()?.chooses && Math.abs(gradient - measured) > 1e-3)
      out.textContent += ` ${text("pin_tie")}`;
  } else out.textContent = text("pin_value", {where, value: Stories.number(array.data[pinned.flat])});
}

let framed = new Set();  // cells
function mark() {
  const from = hovered || state.pinned, now = new Set();
  if (from && told) for (const [name, flats] of Object.entries(linked(from.array, from.flat)))
    for (const flat of flats) if (cells[name]?.[flat]) now.add(cells[name][flat]);
  for (const td of framed) if (!now.has(td)) td.classList.remove("linked");
  for (const td of now) if (!framed.has(td)) td.classList.add("linked");
  framed = now;
}

// -- All of the page ---------------------------------------------------------------------------

// What has the focus, by its id or label, has it again after `change` has replaced it.
function keepFocus(change) {
  const before = document.activeElement, key = before?.dataset?.focus;
  change();
  if (key && !before.isConnected) document.querySelector(`[data-focus="${key}"]`)?.focus();
}

function draw() {
  problem = "";
  fill();
  document.documentElement.lang = state.language;
  document.title = `${state.operation} · minifcn`;
  for (const node of document.querySelectorAll("[data-text]"))
    node.textContent = text(node.dataset.text);
  for (const node of document.querySelectorAll("[data-title]")) {
    node.title = text(node.dataset.title);
    node.setAttribute("aria-label", node.title);
  }
  $("title").textContent = text(`name_${state.operation}`);
  $("idea").textContent = text(`idea_${state.operation}`);
  keepFocus(controls);
  code();
  redraw();
}

// Numbers are others, settings are not.
function redraw() {
  tell();
  $("at").max = told ? told.steps.length - 1 : 0;
  $("at").disabled = !told;
  for (const id of ["sum", "details"]) $(id).hidden = !told;
  build();
  if (!told) {
    pause();
    $("say").textContent = text(problem);
    $("count").textContent = "";
    $("guess").hidden = true;
    return;
  }
  formula();
  paint();
}

function controls() {
  const s = state.settings, boxes = about().controls.map(name => control(name, s));
  $("settings").replaceChildren(make("legend", {}, text("settings")), ...boxes);
  $("settings-said").textContent = `${text("settings")}: ${about().controls.map(name =>
    `${name} ${PAIRS.includes(name) ? s[name].join("×") : s[name]}`).join(", ")}`;
  const presets = about().presets.map((one, i) => make("button", {type: "button",
    "data-focus": `preset_${i}`,
    onclick: () => { choose(state.operation, one); state.edited = Object.keys(data.given ? state.arrays : one.arrays || {});
      if (one.direction) state.direction = one.direction; draw(); }}, one.name[state.language]
      || one.name.en));
  $("presets").replaceChildren(make("legend", {}, text("presets")), ...presets);
  $("presets").hidden = !presets.length;
  const modes = [];
  const toggle = (key, value, label) => make("button", {type: "button",
    "data-focus": label, "aria-pressed": String(state[key] === value),
    onclick: () => { state[key] = value; state.step = 0; state.pinned = null; revealed.clear();
      draw(); }}, text(label));
  const group = (...buttons) => modes.push(make("span", {class: "group", role: "group"}, ...buttons));
  if (about().views.length > 1)
    group(...about().views.map(view => toggle("view", view, `view_${view}`)));
  if (about().backward && ["", "stamps"].includes(state.view)) group(
    toggle("direction", "forward", "forward"), toggle("direction", "backward", "backward"));
  if (operation() && state.view !== "matrix") group(
    toggle("grain", "window", "grain_window"), toggle("grain", "tap", "grain_tap"));
  modes.push(make("button", {type: "button", "aria-pressed": String(state.predict), id: "predict",
    "data-focus": "predict", onclick: () => { state.predict = !state.predict; revealed.clear();
      draw(); }}, text("predict")));
  $("modes").replaceChildren(make("legend", {}, text("show")), ...modes);
  $("paste-into").replaceChildren(...Object.keys(state.arrays).filter(key =>
    key !== "gradient" || state.direction === "backward").map(key =>
    make("option", {value: key}, key)));
}

function control(name, s) {
  const change = value => { s[name] = value; state.step = 0; state.pinned = null; revealed.clear();
    draw(); };
  const label = make("label", {}, `${name} `);
  if (CHOICES[name]) {
    const select = make("select", {"data-setting": name, "data-focus": name, onchange: () => change(CHOICES[name]
      .find(one => String(one) === select.value))}, ...CHOICES[name].map(one =>
      make("option", {value: String(one), selected: s[name] === one}, String(one))));
    label.append(select);
    return label;
  }
  const [low, high] = name === "label" ? [0, s.classes - 1] : RANGES[name];
  const field = axis => {
    const input = make("input", {type: "number", min: low, max: high, "data-setting": name,
      "data-focus": `${name}_${axis ?? ""}`,
      value: axis === null ? s[name] : s[name][axis],
      "aria-label": axis === null ? name : `${name}, ${text(axis ? "across" : "down")}`,
      onchange: () => {
        const n = Math.max(low, Math.min(high, Math.round(Number(input.value)) || low));
        change(axis === null ? n : s[name].map((old, a) => a === axis ? n : old));
      }});
    return input;
  };
  if (PAIRS.includes(name)) label.append(field(0), " × ", field(1));
  else label.append(field(null));
  return label;
}

function formula() {
  const s = state.settings, pair = key => s[key] && `(${s[key].join(", ")})`;
  const line = a => {
    const [n, k, st, p, d, e] = ["size", "kernel", "stride", "padding", "dilation",
      "output_padding"].map(key => s[key]?.[a]);
    const axis = text(a ? "across" : "down");
    if (state.operation === "conv_transpose2d") return `${axis}: s(n − 1) + d(k − 1) + 1 − 2p + a `
      + `= ${st}·(${n} − 1) + ${d}·(${k} − 1) + 1 − 2·${p} + ${e} = ${told.arrays[told.output]
        ? operation().output(s)[a + 1] : ""}`;
    if (["conv2d", "max_pool2d", "im2col", "col2im"].includes(state.operation)) return `${axis}: `
      + `⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1 = ⌊(${n} + 2·${p} − ${d}·(${k} − 1) − 1) / ${st}⌋ + 1 = `
      + `${Math.floor((n + 2 * p - d * (k - 1) - 1) / st) + 1}`;
    if (state.operation === "max_unpool2d") return `${axis}: ${n}·${k} = ${n * k}`;
    if (state.operation === "interpolate") return `${axis}: ${n} → ${s.out[a]}`;
    return state.operation === "conv1x1" ? `${axis}: ${n}` : "";
  };
  $("formula").textContent = operation() ? `${line(0)}\n${line(1)}` : "";
  $("formula-part").hidden = !operation();
  const fill = template => template.replace(/\{(\w+)\}/g, (_, key) =>
    PAIRS.includes(key) ? pair(key) : key === "align_corners"
      ? (s.mode === "nearest" ? "None" : s[key] ? "True" : "False") : String(s[key]));
  $("call-minifcn").textContent = fill(about().calls.minifcn[s.way] || about().calls.minifcn);
  $("call-torch").textContent = fill(about().calls.torch[s.way] || about().calls.torch);
}

