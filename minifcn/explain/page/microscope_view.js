// The page of the microscope: pictures, the pixel that is looked at, its scores, maps, the address.
"use strict";
(() => {
  const $ = id => document.getElementById(id);
  const data = JSON.parse($("data").textContent), scope = Microscope.open(data);
  const make = (tag, attributes = {}, ...children) => {
    const drawn = ["svg", "rect", "text"].includes(tag);
    const node = drawn ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      if (name.startsWith("on")) node[name] = value;
      else if (value !== false && value != null) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const {image, classes, paths, layers} = data, number = Microscope.number;
  let state = Microscope.fromHash(location.hash, scope, data);
  const text = (key, values = {}) => {
    const found = data.texts[key];
    return (found[state.language] || found.en).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  };
  const model = data.network.model.replace("fcn", "FCN-");
  const swatch = label => make("span", {class: "swatch",
    style: `background: rgb(${classes[label].colour.join()})`});

  // -- Frames over pictures and maps -------------------------------------------------------------

  // A rectangle in the units of a picture's viewBox: dark on a light rim, seen on any colour.
  function frame(svg, x, y, width, height, kind = "") {
    for (const layer of ["under", "over"])
      svg.append(make("rect", {x, y, width, height, class: `${layer} ${layer === "over" ? kind : ""}`}));
  }
  const overlay = (height, width) =>
    make("svg", {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": true});

  // -- Pictures ----------------------------------------------------------------------------------

  const surfaces = [];
  function picture(name, source, role) {
    const svg = overlay(image.height, image.width);
    const surface = make("div", {class: "surface", tabindex: 0, role: "application"},
      make("img", {src: source, alt: "", width: image.width, height: image.height, draggable: "false",
        style: "height: auto"}), svg);
    surface.onpointermove = event => {
      if (event.pointerType === "mouse" && !state.pinned) look(pointed(surface, event));
    };
    surface.onclick = event => {
      const place = pointed(surface, event);
      state.pinned = !(state.pinned && place.join() === state.place.join());
      look(place, true);
    };
    surface.onkeydown = keyed;
    surfaces.push({surface, svg, name});
    return make("figure", {class: `picture ${name === "image" ? "large input" : name === "truth" ? ""
      : "output"}`}, surface, make("figcaption", {}, make("b", {"data-text": `picture_${name}`}), " · ",
      make("span", {"data-text": `role_${role}`})));
  }

  function pointed(surface, event) {
    const box = surface.getBoundingClientRect();
    return scope.nearest((event.clientY - box.top) / box.height * image.height,
      (event.clientX - box.left) / box.width * image.width);
  }

  const MOVES = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
  function keyed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const move = MOVES[event.key], far = event.shiftKey ? 8 : 1;
    const clipped = (v, count) => Math.max(0, Math.min(count - 1, v));
    if (move) look([clipped(state.place[0] + far * move[0], scope.height),
      clipped(state.place[1] + far * move[1], scope.width)], true);
    else if (event.key === "Enter" || event.key === " ") {
      state.pinned = !state.pinned;
      look(state.place, true);
    } else if (event.key === "Escape") {
      state.pinned = false;
      look(state.place, true);
    } else return;
    event.preventDefault();
  }

  // Browsers take only so many addresses in a while: the last one counts.
  let later = null;
  function look(place, meant = false) {
    if (!meant && place.join() === state.place.join()) return;
    state.place = place;
    paint();
    if (!meant || location.protocol === "about:") return;
    clearTimeout(later);
    later = setTimeout(() => history.replaceState(null, "", Microscope.toHash(state, scope)), 200);
  }

  // The path with the finest scores, and the top: their receptive fields are drawn.
  const drawnPaths = [...new Set([paths.length - 1, 0])];

  function paintPictures(now) {
    const step = data.shown.step, [i, j] = state.place;
    const x = Math.min(j * step, image.width - step), y = Math.min(i * step, image.height - step);
    for (const {svg, name} of surfaces) {
      svg.replaceChildren();
      if (name === "image") for (const path of drawnPaths) {
        const box = scope.box(path, i, j);
        frame(svg, box.x, box.y, box.width, box.height, path === 0 ? "dashed" : "");
      }
      frame(svg, Math.max(x, 0), Math.max(y, 0), step, step, "dot");
    }
    const entries = drawnPaths.map(path => {
      const box = scope.box(path, i, j), cells = scope.cells(path, i, j);
      const count = ([low, high]) => high - low + 1;
      const said = text("legend_box", {path: paths[path].name, height: box.fullHeight,
        width: box.fullWidth, rows: count(cells.rows), columns: count(cells.columns)});
      return make("li", {}, make("span", {class: `key ${path === 0 ? "dash" : ""}`}), " ", said,
        box.whole ? text("legend_whole") : "");
    });
    $("legend").replaceChildren(make("li", {}, make("span", {class: "key cell"}), " ",
      text("legend_cell", {row: now.row, column: now.column})), ...entries,
      make("li", {class: "quiet"}, text("legend_how")));
  }

  // -- Words and the table of scores -------------------------------------------------------------

  const score = (v, signed = false) => number(v, data.decimals, signed);
  const share = p => p > 0 && p < 0.001 ? "< 0.001" : p.toFixed(3);

  function spoken(now) {
    const name = label => classes[label].name;
    const terms = paths.map((path, p) => `${path.name} ${score(now.terms[now.label][p], true)}`);
    const parts = [text("say_pixel", {row: now.row, column: now.column, label: name(now.label),
      probability: share(now.probabilities[now.label])}),
    text("say_sum", {sum: `${terms.join(", ")} = ${score(now.scores[now.label])}`})];
    if (paths.length > 1) parts.push(now.leaders.map((label, p) => text(p ? "say_with" : "say_top",
      {path: paths[p].name, label: name(label)})).join(", ") + ".");
    if (now.truth !== null) parts.push(now.truth >= classes.length ? text("say_void")
      : text(now.truth === now.label ? "say_right" : "say_wrong", {label: name(now.truth)}));
    if (state.pinned) parts.push(text("say_pinned"));
    return parts.join(" ");
  }

  function paintScores(now) {
    const head = make("thead", {}, make("tr", {}, make("th", {scope: "col"}, text("column_class")),
      ...paths.map((path, p) => make("th", {scope: "col"}, `${p ? "+ " : ""}${path.name}`)),
      make("th", {scope: "col"}, text("column_score")),
      make("th", {scope: "col"}, text("column_probability"))));
    const rows = classes.map((one, label) => {
      const tags = [label === now.label && "prediction", label === now.truth && "truth"]
        .filter(Boolean).map(tag => make("span", {class: "tag"}, text(`tag_${tag}`)));
      return make("tr", {class: label === now.label ? "said" : null},
        make("th", {scope: "row"}, make("button", {type: "button", "data-label": label,
          "aria-pressed": String(state.label === label), onclick: () => choose(label, true)},
        swatch(label), one.name), ...tags),
        ...now.terms[label].map(v => make("td", {}, score(v, true))),
        make("td", {}, score(now.scores[label])), make("td", {}, share(now.probabilities[label])));
    });
    const leaders = make("tr", {}, make("th", {scope: "row"}, text("row_leader")),
      ...now.leaders.map(label => make("td", {}, classes[label].name)), make("td"), make("td"));
    $("scores").replaceChildren(head, make("tbody", {}, ...rows),
      ...(paths.length > 1 ? [make("tfoot", {}, leaders)] : []));
  }

  // A second press lets the maps follow the pixel again.
  function choose(label, pressed = false) {
    const focused = document.activeElement?.dataset.label;
    state.label = pressed && state.label === label ? null : label;
    $("class").value = state.label ?? "";
    look(state.place, true);
    if (focused) document.querySelector(`#scores [data-label="${focused}"]`)?.focus();
  }

  // -- Maps --------------------------------------------------------------------------------------

  function map(height, width, ...caption) {
    const canvas = make("canvas", {height, width}), svg = overlay(height, width);
    const said = make("span"), node = make("figure", {class: "map"},
      make("div", {class: "surface", style: "cursor: default"}, canvas, svg),
      make("figcaption", {}, ...caption, " ", said));
    return {node, svg, said, height, width,
      draw(colour) {
        const context = canvas.getContext("2d"), picture = context.createImageData(width, height);
        for (let flat = 0; flat < height * width; flat++)
          picture.data.set([...colour(flat), 255], 4 * flat);
        context.putImageData(picture, 0, 0);
      },
      // reach: first and last row, and column, of the cells that the pixel is made of.
      mark([row, column], value, numbers = [], reach = null) {
        const [y, x] = [Math.min(row, height - 1), Math.min(column, width - 1)];
        svg.replaceChildren(...numbers);
        if (reach) {
          const [top, left] = [reach[0][0], reach[1][0]];
          frame(svg, left, top, Math.min(reach[1][1] + 1, width) - left,
            Math.min(reach[0][1] + 1, height) - top, "dashed");
        }
        frame(svg, x, y, 1, 1, "dot");
        said.textContent = text("here", {value: value(y * width + x)});
      }};
  }

  // From -1, purple, over white to 1, orange.
  const ENDS = [[84, 39, 136], [179, 88, 6]];
  const diverging = v => ENDS[v < 0 ? 0 : 1].map(end =>
    Math.round(255 + (end - 255) * Math.min(1, Math.abs(v))));

  let classMaps = [], shownLabel = -1;
  function buildClassMaps() {
    const heading = key => make("h3", {}, text(key));
    const coarse = paths.map((path, p) => {
      const {height, width, step, decimals} = path.coarse;
      const size = [text("cells", {height, width, stride: path.stride})];
      if (step > 1) size.push(text("every", {step}));
      const own = map(height, width, make("b", {}, path.name), make("br"), size.join(", "), make("br"));
      const inMap = v => Math.floor(v / step);
      return {...own, decimals: Math.min(decimals, data.decimals), cells: width <= 6,
        values: label => scope.coarse(p, label),
        place: () => scope.cells(p, ...state.place).own.map(inMap),
        reach() {
          const {rows, columns} = scope.cells(p, ...state.place);
          return [rows.map(inMap), columns.map(inMap)];
        }};
    });
    const {height, width} = scope;
    const added = [...paths.keys(), ...(paths.length > 1 ? [null] : [])].map(p => {
      const name = p === null ? text("sum") : paths[p].name;
      const own = map(height, width, make("b", {}, name), make("br"), text("pixels", {height, width}),
        make("br"));
      return {...own, decimals: data.decimals, values: label => scope.added(p, label),
        place: () => state.place};
    });
    classMaps = [...coarse, ...added];
    shownLabel = -1;
    $("coarse").replaceChildren(heading("coarse_head"), ...coarse.map(one => one.node),
      make("p", {class: "quiet"}, text("coarse_how")));
    $("added").replaceChildren(heading("added_head"), ...added.map(one => one.node));
  }

  function paintClassMaps(now) {
    const label = state.label ?? now.label;
    if (label !== shownLabel) {
      for (const one of classMaps) one.numbers = one.values(label);
      const limit = Math.max(...classMaps.map(one =>
        one.numbers.reduce((most, v) => Math.max(most, Math.abs(v)), 0))) || 1;
      for (const one of classMaps) {
        one.draw(flat => diverging(one.numbers[flat] / limit));
        one.written = !one.cells ? [] : Array.from(one.numbers, (v, flat) => make("text",
          {x: flat % one.width + .5, y: Math.floor(flat / one.width) + .61,
            class: Math.abs(v) > .6 * limit ? "light" : null}, number(v, 1)));
      }
      $("limit").textContent = text("limit", {limit: limit.toPrecision(3), label: classes[label].name});
      shownLabel = label;
    }
    for (const one of classMaps)
      one.mark(one.place(), flat => number(one.numbers[flat], one.decimals, true), one.written,
        one.reach?.());
  }

  let layerMaps = [];
  function buildLayers() {
    layerMaps = [];
    $("layers").replaceChildren(...layers.map(layer => {
      const {name, height, width, step, stride} = layer, said = [text("layer", layer)];
      if (step > 1) said.push(text("every", {step}));
      const nodes = layer.maps.map(({channel, low, high, values}) => {
        const grey = Microscope.bytes(values), short = v => number(v, 2);
        const own = map(height, width, text("channel", {channel}), ", ",
          text("range", {low: short(low), high: short(high)}), make("br"));
        own.draw(flat => [grey[flat], grey[flat], grey[flat]]);
        layerMaps.push({...own, cell: stride * step,
          value: flat => `≈ ${short(low + grey[flat] / 255 * (high - low))}`});
        return own.node;
      });
      return make("div", {class: "maps"}, make("h3", {}, `${name} `,
        make("span", {}, said.join(", "))), ...nodes);
    }));
  }
  function paintLayers(now) {
    for (const one of layerMaps)
      one.mark([now.row, now.column].map(v => Math.floor(v / one.cell)), one.value);
  }

  // -- All of the page ---------------------------------------------------------------------------

  function paint() {
    const now = scope.at(...state.place);
    paintPictures(now);
    $("say").textContent = spoken(now);
    paintScores(now);
    paintClassMaps(now);
    paintLayers(now);
  }

  function facts() {
    const {data: of, trained} = data.network, [h, w] = image.own, step = data.shown.step;
    const said = [text(trained === null ? "facts_run" : "facts_trained", {model, data: of, trained}),
      text("facts_image", image)];
    if (h !== image.height || w !== image.width) said.push(text("facts_resized", {h, w}));
    if (step > 1) said.push(text("facts_step", {step}));
    return said.join(" ");
  }

  function write() {
    document.documentElement.lang = $("language").value = state.language;
    document.title = $("title").textContent = text("title", {model});
    for (const node of document.querySelectorAll("[data-text]"))
      node.textContent = text(node.dataset.text);
    for (const node of document.querySelectorAll(".scores"))
      node.setAttribute("aria-label", text("scores_head"));
    $("facts").textContent = facts();
    $("exact").textContent = text("exact", {unit: 10 ** -data.decimals});
    $("made").textContent = text("made", {version: data.version});
    for (const {surface, name} of surfaces)
      surface.setAttribute("aria-label", text("surface", {name: text(`picture_${name}`)}));
    $("class").replaceChildren(make("option", {value: ""}, text("class_follow")),
      ...classes.map((one, label) => make("option", {value: label}, one.name)));
    buildClassMaps();
    buildLayers();
    paint();
    $("class").value = state.label ?? "";
  }

  $("pictures").append(picture("image", image.picture, "input"),
    picture("prediction", image.prediction, "output"),
    ...(image.truth ? [picture("truth", image.truth, "truth")] : []));
  $("language").onchange = () => { state.language = $("language").value; write(); look(state.place, true); };
  $("class").onchange = () => choose($("class").value === "" ? null : Number($("class").value));
  window.addEventListener("hashchange", () => {
    state = Microscope.fromHash(location.hash, scope, data);
    write();
  });
  write();
})();
