// Arrays as tables of numbers that are reached by mouse and keys, edited, linked and pinned.
"use strict";
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
  td.tabIndex = flat % Engine.count(array.shape.slice(-2)) ? -1 : 0;  // one stop in each plane
  td.onmouseenter = () => link(name, flat);
  td.onfocus = () => {
    for (const other of td.closest("table").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
    td.tabIndex = 0;
    link(name, flat);
  };
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
    cells[name][flat + moves[event.key]].focus();
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
  const finish = (keep, stay) => {
    if (done) return;
    done = true;
    const v = Number(input.value.replace("−", "-").replace(",", "."));
    if (keep && input.value.trim() && Number.isFinite(v) && allowed(array.key, v)) {
      own.data[flat] = v;
      if (!state.edited.includes(array.key)) state.edited.push(array.key);
    }
    const name = Object.keys(cells).find(one => cells[one][flat] === td);
    redraw();
    if (stay) cells[name]?.[flat]?.focus();
  };
  input.onblur = () => finish(true, false);
  input.onkeydown = event => {
    event.stopPropagation();
    if (event.key === "Enter") finish(true, true);
    if (event.key === "Escape") finish(false, true);
  };
  td.replaceChildren(input);
  input.focus();
  input.select();
}

// Indices point into the plane; counts of pixels are whole and not negative.
function allowed(key, v) {
  if (key === "matrix") return Number.isInteger(v) && v >= 0;
  if (key !== "indices") return Number.isFinite(v);
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

