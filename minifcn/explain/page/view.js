// The page: controls, arrays as tables, keys, the state in the address, proof, pictures to keep.
"use strict";
(() => {
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
  const RANGES = {size: [1, 12], kernel: [1, 5], stride: [1, 4], padding: [0, 4], dilation: [1, 3],
    output_padding: [0, 3], out: [1, 12], channels: [1, 4], filters: [1, 4], groups: [1, 2]};
  const CHOICES = {way: ["switches", "nails", "nearest"], mode: ["nearest", "bilinear"],
    align_corners: [false, true]};
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

  function choose(name, own = {}) {
    state.operation = name;
    const one = data.about[name];
    state.settings = {...structuredClone(one.settings), ...structuredClone(own.settings || {})};
    state.view = one.views[0];
    state.direction = "forward";
    Object.assign(state, {step: 0, pinned: null, edited: [], arrays: {}});
    fill(own.arrays);
  }

  // Make arrays of the shapes that the settings ask for; keep those that fit.
  function fill(given = {}) {
    const name = state.operation, one = about(), shapes = {};
    problem = "";
    if (name === "cross_entropy") shapes.scores = [1, 1, state.settings.classes];
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
      state.arrays[key] = fits ? Engine.of(shape, old.data) : first(key, shape, i, one);
    });
    for (const key of state.edited.slice()) if (!state.arrays[key]) state.edited.splice(
      state.edited.indexOf(key), 1);
  }

  function first(key, shape, i, one) {
    if (one.ones) return Engine.of(shape, Array(Engine.count(shape)).fill(1));
    if (key === "indices") {  // one place in each window, as a pooling leaves it
      const {size: [h, w], kernel: [kh, kw]} = state.settings;
      return Engine.of(shape, Array.from({length: Engine.count(shape)}, (_, flat) => {
        const [, oh, ow] = Engine.placeOf(shape, flat), k = (flat * 5 + 1) % (kh * kw);
        return (oh * kh + Math.floor(k / kw)) * w * kw + ow * kw + k % kw;
      }));
    }
    if (key === "matrix") return Engine.of(shape, drawn(shape, 11).data.map((v, flat) =>
      Math.abs(v) + (flat % (shape[2] + 1) ? 0 : 6)));
    return drawn(shape, 7 + 4 * i);
  }

  // -- The state in the address ------------------------------------------------------------------

  function toHash() {
    const p = new URLSearchParams({op: state.operation});
    const standard = about().settings;
    for (const [name, value] of Object.entries(state.settings))
      if (String(value) !== String(standard[name])) p.set(name, String(value));
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
      const numbers = (p.get(`_${key}`) || "").split(",").map(Number);
      if (numbers.length === array.data.length && numbers.every(Number.isFinite)) {
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
    const [low, high] = RANGES[name] || [2, 6];
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
        told = Stories.crossEntropyStory(a.scores.data, Math.min(s.label, s.classes - 1));
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

  // -- Arrays as tables --------------------------------------------------------------------------

  let cells = {};  // by array's name, the td of each number
  function build() {
    cells = {};
    const panels = told ? Object.entries(told.arrays).map(([name, array]) => panel(name, array)) : [];
    $("panels").replaceChildren(...panels);
  }

  function panel(name, array) {
    const shown = array.shape.length > 1 && array.shape[0] === 1 ? array.shape.slice(1) : array.shape;
    const [h, w] = array.shape.slice(-2), planes = Engine.count(array.shape.slice(0, -2));
    const role = text(`role_${array.role}`), box = make("div", {class: "planes"});
    cells[name] = Array(array.data.length);
    const s = told.settings || state.settings;
    const pads = name === told.input && state.view !== "matrix" && s.padding
      && ["conv2d", "im2col", "max_pool2d"].includes(told.settings ? "conv2d" : state.operation);
    for (let k = 0; k < planes; k++) {
      const label = planes > 1 ? `${name}[${Engine.placeOf(array.shape.slice(0, -2), k).join(", ")}]`
        : "";
      const table = make("table", {role: "grid", "aria-label": label || name});
      if (label) table.append(make("caption", {}, label));
      const [ph, pw] = pads ? s.padding : [0, 0], body = make("tbody");
      for (let i = -ph; i < h + ph; i++) {
        const row = make("tr");
        for (let j = -pw; j < w + pw; j++) {
          const inside = i >= 0 && j >= 0 && i < h && j < w;
          const td = make("td", inside ? {} : {class: "pad"});
          if (inside) enliven(td, name, array, (k * h + i) * w + j);
          else td.textContent = state.operation === "max_pool2d" ? "−∞" : "0";
          td.dataset.at = `${k},${i},${j}`;
          row.append(td);
        }
        body.append(row);
      }
      table.append(body);
      box.append(table);
    }
    const heading = make("h2", {}, `${name} `, make("span", {class: "role"},
      `${role}, ${shown.join(" × ")}${array.key ? `, ${text("editable")}` : ""}`));
    const size = w > 14 || h > 26 ? " small" : "";
    return make("section", {class: `array ${array.role}${size}`, "aria-label": name}, heading, box);
  }

  function enliven(td, name, array, flat) {
    cells[name][flat] = td;
    td.tabIndex = flat ? -1 : 0;
    td.onmouseenter = td.onfocus = () => link(name, flat);
    td.onmouseleave = td.onblur = () => link(null);
    td.onclick = () => { pin(name, flat); td.focus(); };
    td.ondblclick = () => array.key && edit(td, array, flat);
    td.onkeydown = event => keyInGrid(event, td, name, array, flat);
  }

  function keyInGrid(event, td, name, array, flat) {
    if (event.target !== td) return;
    const [h, w] = array.shape.slice(-2), inPlane = flat % (h * w);
    const row = Math.floor(inPlane / w), column = inPlane % w;
    const moves = {ArrowRight: column < w - 1 && 1, ArrowLeft: column > 0 && -1,
      ArrowDown: row < h - 1 && w, ArrowUp: row > 0 && -w};
    if (event.key in moves) {
      event.preventDefault();
      event.stopPropagation();
      if (!moves[event.key]) return;
      td.tabIndex = -1;
      const next = cells[name][flat + moves[event.key]];
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === "Enter" && array.key) {
      event.preventDefault();
      edit(td, array, flat);
    } else if (event.key === "p") pin(name, flat);
    else if (event.key === "Escape") td.blur();
  }

  function edit(td, array, flat) {
    const own = state.arrays[array.key], input = make("input", {"aria-label": text("new_number"),
      value: own.data[flat], inputmode: "decimal"});
    let done = false;
    const finish = keep => {
      if (done) return;
      done = true;
      const v = Number(input.value.replace("−", "-").replace(",", "."));
      if (keep && input.value.trim() && Number.isFinite(v) && allowed(array.key, v)) {
        own.data[flat] = v;
        if (!state.edited.includes(array.key)) state.edited.push(array.key);
      }
      const name = Object.keys(cells).find(one => cells[one][flat] === td);
      draw();
      cells[name]?.[flat]?.focus();
    };
    input.onblur = () => finish(true);
    input.onkeydown = event => {
      event.stopPropagation();
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
    };
    td.replaceChildren(input);
    input.focus();
    input.select();
  }

  // Indices point into the plane; counts of pixels are whole and not negative.
  function allowed(key, v) {
    if (key === "matrix") return Number.isInteger(v) && v >= 0;
    if (key !== "indices") return true;
    const [, h, w] = operation().output(state.settings);
    return Number.isInteger(v) && v >= 0 && v < h * w;
  }

  function link(name, flat) {
    hovered = name ? {array: name, flat} : null;
    mark();
  }
  function pin(name, flat) {
    const same = state.pinned && state.pinned.array === name && state.pinned.flat === flat;
    state.pinned = same ? null : {array: name, flat};
    paint();
  }

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
        const shown = v === null || v === undefined ? "·" : Stories.number(v);
        if (td.textContent !== shown) td.textContent = shown;
        td.className = [read.has(flat) && "read", used.has(flat) && "used",
          write.has(flat) && "write", v === null && "todo",
          hides && write.has(flat) && "hidden",
          state.pinned?.array === name && state.pinned.flat === flat && "pinned"]
          .filter(Boolean).join(" ");
      }
    }
    for (const td of $("panels").querySelectorAll(".pad"))
      td.classList.toggle("read", padded.has(td.dataset.at));
    $("at").value = state.step;
    $("count").textContent = text("step_of", {step: state.step + 1, steps: told.steps.length});
    $("sum").textContent = hides ? text("guess_first") : now.sum();
    $("say").textContent = spoken(now, hides);
    $("guess").hidden = !state.predict || !Object.values(now.writes).flat().length;
    paintCode(now);
    paintPin();
    mark();
    if (location.protocol !== "about:") history.replaceState(null, "", toHash());
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

  function paintCode(now) {
    const source = about().code[state.direction];
    $("code-part").hidden = !source.length;
    $("code").replaceChildren(...source.flatMap(one => [
      ...one.lines.map((line, i) => make(one.marked.includes(i) ? "mark" : "span", {}, `${line}\n`)),
    ]));
    const range = key => now.loop[key] === now.last[key] || now.last[key] === undefined
      ? now.loop[key] : `${now.loop[key]} … ${now.last[key]}`;
    $("loop").textContent = Object.keys(now.loop).map(key => `${key} = ${range(key)}`).join(", ");
  }

  function paintPin() {
    const pinned = state.pinned, out = $("pin");
    const array = pinned && told.arrays[pinned.array];
    if (!array || pinned.flat >= array.data.length) return void (out.textContent = text("pin_hint"));
    const where = Stories.place(pinned.array, array.shape, pinned.flat);
    if (state.direction === "backward" && array.of) {
      const measured = Engine.difference(operation(), state.settings, state.arrays,
        state.arrays.gradient, array.of, pinned.flat);
      out.textContent = text("pin_difference", {where, gradient: Stories.number(array.data[pinned.flat]),
        difference: measured.toFixed(4).replace("-", "−")});
    } else if (state.operation === "cross_entropy" && pinned.array === "dscores") {
      const {scores} = state.arrays, label = Math.min(state.settings.label, state.settings.classes - 1);
      const loss = e => Engine.crossEntropy(scores.data.map((v, c) => c === pinned.flat ? v + e : v),
        label).loss;
      out.textContent = text("pin_difference", {where, gradient: Stories.number(array.data[pinned.flat]),
        difference: ((loss(1e-4) - loss(-1e-4)) / 2e-4).toFixed(4).replace("-", "−")});
    } else out.textContent = text("pin_value", {where, value: Stories.number(array.data[pinned.flat])});
  }

  function mark() {
    for (const td of $("panels").querySelectorAll(".linked")) td.classList.remove("linked");
    const from = hovered || state.pinned;
    if (!from || !told || !operation() || ["zeros", "matrix"].includes(state.view)) return;
    const found = Stories.links(state.operation, state.settings, state.arrays, state.direction,
      from.array, from.flat, told);
    for (const [name, flats] of Object.entries(found)) for (const flat of flats)
      cells[name]?.[flat]?.classList.add("linked");
  }

  // -- All of the page ---------------------------------------------------------------------------

  function draw() {
    problem = "";
    fill();
    tell();
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
    controls();
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
    const presets = about().presets.map(one => make("button", {type: "button",
      onclick: () => { choose(state.operation, one); state.edited = Object.keys(one.arrays || {});
        if (one.direction) state.direction = one.direction; draw(); }}, one.name[state.language]
        || one.name.en));
    $("presets").replaceChildren(make("legend", {}, text("presets")), ...presets);
    $("presets").hidden = !presets.length;
    const modes = [];
    const toggle = (key, value, label) => make("button", {type: "button",
      "aria-pressed": String(state[key] === value),
      onclick: () => { state[key] = value; state.step = 0; state.pinned = null; revealed.clear();
        draw(); }}, text(label));
    for (const view of about().views.length > 1 ? about().views : [])
      modes.push(toggle("view", view, `view_${view}`));
    if (about().backward && ["", "stamps"].includes(state.view)) modes.push(
      toggle("direction", "forward", "forward"), toggle("direction", "backward", "backward"));
    if (operation() && !["matrix"].includes(state.view)) modes.push(
      toggle("grain", "window", "grain_window"), toggle("grain", "tap", "grain_tap"));
    modes.push(make("button", {type: "button", "aria-pressed": String(state.predict), id: "predict",
      onclick: () => { state.predict = !state.predict; revealed.clear(); draw(); }}, text("predict")));
    $("modes").replaceChildren(make("legend", {}, text("show")), ...modes);
    $("paste-into").replaceChildren(...Object.keys(state.arrays).filter(key =>
      key !== "gradient" || state.direction === "backward").map(key =>
      make("option", {value: key}, key)));
  }

  function control(name, s) {
    const change = value => { s[name] = value; state.step = 0; state.pinned = null; revealed.clear();
      draw(); document.querySelector(`[data-setting="${name}"]`)?.focus(); };
    const label = make("label", {}, `${name} `);
    if (CHOICES[name]) {
      const select = make("select", {"data-setting": name, onchange: () => change(CHOICES[name]
        .find(one => String(one) === select.value))}, ...CHOICES[name].map(one =>
        make("option", {value: String(one), selected: s[name] === one}, String(one))));
      label.append(select);
      return label;
    }
    const [low, high] = name === "label" ? [0, s.classes - 1] : RANGES[name] || [2, 6];
    const field = axis => {
      const input = make("input", {type: "number", min: low, max: high, "data-setting": name,
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

  // -- Moving ------------------------------------------------------------------------------------

  function go(step) {
    if (!told) return;
    state.step = Math.max(0, Math.min(told.steps.length - 1, step));
    paint();
  }
  function pause() {
    clearInterval(timer);
    timer = null;
    $("play").textContent = "►";
    $("play").setAttribute("aria-pressed", "false");
  }
  function play() {
    if (timer) return pause();
    if (!told) return;
    if (state.step === told.steps.length - 1) go(0);
    const tick = () => state.step === told.steps.length - 1 ? pause() : go(state.step + 1);
    timer = setInterval(tick, 1000 / Number($("speed").value));
    $("play").textContent = "❚❚";
    $("play").setAttribute("aria-pressed", "true");
  }
  const KEYS = {ArrowRight: () => go(state.step + 1), ArrowLeft: () => go(state.step - 1),
    Home: () => go(0), End: () => go(Infinity), " ": play};
  document.addEventListener("keydown", event => {
    if (event.altKey || event.ctrlKey || event.metaKey || !KEYS[event.key]) return;
    const tag = event.target.tagName;
    if (["INPUT", "SELECT", "TEXTAREA"].includes(tag) || (tag === "BUTTON" && event.key === " "))
      return;
    event.preventDefault();
    KEYS[event.key]();
  });
  $("first").onclick = KEYS.Home;
  $("back").onclick = KEYS.ArrowLeft;
  $("next").onclick = KEYS.ArrowRight;
  $("last").onclick = KEYS.End;
  $("play").onclick = play;
  $("at").oninput = () => go(Number($("at").value));
  $("speed").oninput = () => { if (timer) { pause(); play(); } };

  // -- Predict, paste, copy, keep ----------------------------------------------------------------

  $("guess").onsubmit = event => {
    event.preventDefault();
    const now = told.steps[state.step], [name, flats] = Object.entries(now.writes)
      .find(([, places]) => places.length);
    const right = valuesNow()[name][flats[0]], said = Number($("guessed").value.replace("−", "-"));
    revealed.add(state.step);
    $("verdict").textContent = !$("guessed").value.trim() ? "" : Math.abs(said - right) < 5e-3
      ? text("guess_right") : text("guess_wrong", {right: Stories.number(right)});
    $("guessed").value = "";
    paint();
  };

  $("paste").onclick = () => {
    const key = $("paste-into").value, rows = parsed($("pasted").value);
    $("paste-said").textContent = "";
    if (!rows) return void ($("paste-said").textContent = text("paste_unread"));
    const error = place(key, rows);
    if (error) $("paste-said").textContent = text(error);
    else draw();
  };

  // Numbers in rows, or nested lists as NumPy and JSON write them: [[...], ...].
  function parsed(value) {
    const trimmed = value.trim().replace(/−/g, "-");
    if (!trimmed) return null;
    const rows = trimmed.includes("]") ? trimmed.split("]") : trimmed.split(/\n/);
    const numbers = rows.map(row => (row.match(/[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/gi) || [])
      .map(Number)).filter(row => row.length);
    if (/[^\d\s[\](),;.eE+\-array]/.test(trimmed)) return null;
    return numbers.length && new Set(numbers.map(row => row.length)).size === 1 ? numbers : null;
  }

  function place(key, rows) {
    const shape = state.arrays[key].shape, flat = rows.flat();
    if (flat.length !== Engine.count(shape)) {
      const setting = {x: "size", weight: "kernel"}[key];
      const columns = state.operation === "col2im";
      if (!setting || columns || !state.settings[setting] || rows.length > RANGES[setting][1]
        || rows[0].length > RANGES[setting][1]) return "paste_unfit";
      Object.assign(state.settings, {[setting]: [rows.length, rows[0].length]});
      for (const one of ["channels", "filters", "groups"]) if (one in state.settings)
        state.settings[one] = 1;
      problem = "";
      fill();
      if (problem || flat.length !== Engine.count(state.arrays[key].shape)) return "paste_unfit";
    }
    if (!flat.every(v => allowed(key, v))) return "paste_unfit";
    state.arrays[key].data = flat;
    if (!state.edited.includes(key)) state.edited.push(key);
    state.step = 0;
    return "";
  }

  for (const button of document.querySelectorAll(".copy")) button.onclick = async () => {
    const value = $(button.dataset.of).textContent;
    try {
      await navigator.clipboard.writeText(value);
    } catch {  // a page from a file may not write there
      const area = make("textarea", {}, value);
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = text("copied");
    setTimeout(() => { button.textContent = text("copy"); }, 1200);
  };

  // The arrays as they stand, as an SVG: each cell and heading where the page has it.
  function picture() {
    const frame = $("panels").getBoundingClientRect(), parts = [];
    const escape = value => value.replace(/[&<>]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"}[c]));
    const put = (box, label, style, size, anchor = "middle") => parts.push(`<text x="${
      (anchor === "middle" ? box.x + box.width / 2 : box.x) - frame.x}" y="${box.y + box.height / 2
      - frame.y + size * .35}" font-size="${size}" text-anchor="${anchor}" fill="${style.color}" `
      + `font-weight="${style.fontWeight}">${escape(label)}</text>`);
    for (const td of $("panels").querySelectorAll("td")) {
      const box = td.getBoundingClientRect(), style = getComputedStyle(td), c = td.classList;
      const rect = (inset, stroke, width, fill, dash = "") => parts.push(`<rect x="${box.x - frame.x
        + inset}" y="${box.y - frame.y + inset}" width="${box.width - 2 * inset}" height="${box.height
        - 2 * inset}" rx="${parseFloat(style.borderRadius) || 0}" fill="${fill}" stroke="${stroke}" `
        + `stroke-width="${width}"${dash}/>`);
      rect(0, style.borderTopColor, 1, style.backgroundColor === "rgba(0, 0, 0, 0)" ? "none"
        : style.backgroundColor, c.contains("pad") ? ' stroke-dasharray="2"' : "");
      const root = getComputedStyle(document.documentElement);
      if (c.contains("read")) rect(2, root.getPropertyValue("--read"), 3, "none");
      if (c.contains("write")) {
        rect(1.5, root.getPropertyValue("--write"), 2, "none");
        rect(5, root.getPropertyValue("--write"), 2, "none");
      }
      const label = c.contains("hidden") ? "?" : c.contains("todo") ? "" : td.textContent;
      put(box, label, c.contains("hidden") ? getComputedStyle(document.body) : style,
        parseFloat(style.fontSize));
    }
    for (const node of $("panels").querySelectorAll("h2, caption"))
      put(node.getBoundingClientRect(), node.textContent, getComputedStyle(node),
        parseFloat(getComputedStyle(node).fontSize), "start");
    const style = getComputedStyle(document.body);
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${frame.width}" height="${frame.height}" `
      + `font-family="sans-serif"><rect width="100%" height="100%" fill="${style.backgroundColor}"/>`
      + `${parts.join("")}</svg>`;
  }

  function keep(url, name) {
    make("a", {href: url, download: name}).click();
  }
  const named = suffix => `${state.operation}-${state.step + 1}.${suffix}`;
  $("keep-svg").onclick = () => keep(URL.createObjectURL(new Blob([picture()],
    {type: "image/svg+xml"})), named("svg"));
  $("keep-png").onclick = () => {
    const image = new Image(), svg = picture();
    image.onload = () => {
      const canvas = make("canvas", {width: 2 * image.width, height: 2 * image.height});
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      keep(canvas.toDataURL("image/png"), named("png"));
    };
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  };

  // -- Proof -------------------------------------------------------------------------------------

  function prove() {
    let right = 0;
    const results = data.cases.map(one => Proof.holds(one));
    right = results.filter(Boolean).length;
    const out = $("proof");
    out.textContent = text("proof", {right, all: results.length, version: data.version});
    out.classList.toggle("bad", right !== results.length);
    out.dataset.right = right;
    out.dataset.all = results.length;
  }

  // -- Begin -------------------------------------------------------------------------------------

  $("operations").replaceChildren(...(data.operations.length > 1 ? data.operations : [])
    .map(name => make("a", {href: `#op=${name}`, "data-operation": name}, name)));
  $("language").onchange = () => { state.language = $("language").value; draw(); prove(); };
  window.addEventListener("hashchange", () => { begin(location.hash); });
  function begin(hash) {
    pause();
    fromHash(hash);
    if (hash.length < 2 && data.given) choose(data.operations[0], data.given);
    if (hash.length < 2 && data.given) state.edited = [];
    $("language").value = state.language;
    for (const a of $("operations").children)
      if (a.dataset.operation === state.operation) a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    draw();
  }
  $("settings-part").open = innerWidth > 700 && innerHeight > 800;
  begin(location.hash);
  prove();
})();
