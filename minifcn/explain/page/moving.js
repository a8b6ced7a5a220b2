// Moving, predicting, pasting, copying, pictures to keep; the proof; and how a page begins.
"use strict";
// -- Moving ------------------------------------------------------------------------------------

function go(step) {
  if (!told) return;
  state.step = Math.max(0, Math.min(told.steps.length - 1, step));
  $("verdict").textContent = "";
  paint();
}
function pause() {
  clearInterval(timer);
  timer = null;
  $("play").textContent = "▶";
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
  const before = structuredClone(state), error = putNumbers(key, rows);
  if (error) {
    Object.assign(state, before);
    $("paste-said").textContent = text(error);
  } else draw();
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

function putNumbers(key, rows) {
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
    put(box, td.textContent, style, parseFloat(style.fontSize));
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
  revealed.clear();
  $("verdict").textContent = $("paste-said").textContent = "";
  fromHash(hash);
  $("language").value = state.language;
  for (const a of $("operations").children)
    if (a.dataset.operation === state.operation) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  draw();
}
$("settings-part").open = innerWidth > 700 && innerHeight > 800;
begin(location.hash);
prove();
