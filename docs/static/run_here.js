// "Run this page": a tutorial's cells become editable, and run in the browser, by Pyodide.
// Nothing is loaded before a reader asks for it. See docs/BROWSER.md.
"use strict";

(() => {
  const VERSION = "314.0.3";
  const CDN = `https://cdn.jsdelivr.net/pyodide/v${VERSION}/full/`;
  const MEGABYTES = 28;
  const STAGES = 5;
  const NOT_HERE = {
    "14_the_whole_job": "This tutorial does not run here: it starts and stops other programs, " +
      "which a browser has not got.",
    "15_pretrained": "This tutorial does not run here: its network and its photos come in packages " +
      "that are not among those of a page.",
  };
  // Seconds from the press of the button to the end, as measured (docs/BROWSER.md says on what).
  const SECONDS = {
    "01_what_is_segmentation": 12,
    "02_convolution": 11,
    "03_autograd": 10,
    "04_gradient_check": 12,
    "05_learning": 67,
    "06_fully_convolutional": 126,
    "07_receptive_field": 24,
    "08_unpooling": 10,
    "09_transposed_convolution": 13,
    "10_checkerboards": 61,
    "11_features": 140,
    "12_skips": 149,
    "13_crops": 15,
  };

  const SCRIPT = document.currentScript.src;
  const ROOT = new URL("../", SCRIPT);
  const PAGE = location.pathname.split("/").pop().replace(/\.html$/, "");

  // -- Small things ---------------------------------------------------------------------------

  function element(tag, options = {}, ...children) {
    const made = Object.assign(document.createElement(tag), options);
    made.append(...children);
    return made;
  }

  function button(label, act, title = "") {
    const made = element("button", {type: "button", title}, label);
    made.addEventListener("click", () => made.ariaDisabled === "true" || act());
    return made;
  }

  function duration(seconds) {
    return seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} minutes`;
  }

  // -- Edits: kept by page and cell, with the text that they were made from --------------------

  const keyOf = (number) => `minifcn:${PAGE}:${number}`;

  function kept(number) {
    try {
      return JSON.parse(localStorage.getItem(keyOf(number)));
    } catch {
      return null;
    }
  }

  function keep(number, from, text) {
    try {
      if (text === from) localStorage.removeItem(keyOf(number));
      else localStorage.setItem(keyOf(number), JSON.stringify({from, text}));
    } catch {
      say("This browser keeps no edits: they will be gone when the page is left.");
    }
  }

  // -- Cells ----------------------------------------------------------------------------------

  class Cell {
    constructor(place, number) {
      this.place = place;
      this.number = number;
      this.input = place.querySelector(".cell_input");
      this.source = this.input.querySelector("pre").textContent.replace(/\n$/, "");
      this.recorded = [...place.querySelectorAll(":scope > .cell_output")];
    }

    open() {
      if (this.editor) return;
      const edit = kept(this.number);
      this.editor = element("textarea", {
        value: edit?.text ?? this.source, spellcheck: false, wrap: "off", className: "run-here-code",
        ariaLabel: `Code of cell ${this.number}. Control and Enter run it.`,
      });
      this.editor.autocapitalize = "off";
      this.editor.setAttribute("autocorrect", "off");
      this.editor.addEventListener("input", () => this.edited());
      this.editor.addEventListener("keydown", (event) => this.key(event));
      this.run = button("Run", () => runTo(this), "also Control + Enter");
      this.reset = button("Reset", () => this.restore(), "the book's code and outputs again");
      this.state = element("span", {className: "run-here-state"});
      this.output = element("div", {className: "run-here-output"});
      const bar = element("div", {className: "run-here-cell"}, this.run, this.reset, this.state);
      this.input.classList.add("run-here-open");
      this.input.append(this.editor, bar);
      this.input.after(this.output);
      if (edit && edit.from !== this.source) {
        this.state.textContent = "your edit; the book's code has changed since: Reset shows it";
      }
      this.fit();
    }

    edited() {
      keep(this.number, this.source, this.editor.value);
      this.state.textContent = this.editor.value === this.source ? "" : "edited";
      this.fit();
    }

    fit() {
      this.editor.rows = this.editor.value.split("\n").length;
      this.reset.hidden = this.editor.value === this.source && !this.used;
    }

    restore() {
      this.editor.value = this.source;
      this.edited();
      this.clear();
      this.used = false;
      for (const part of this.recorded) part.hidden = false;
      this.fit();
      this.editor.focus();
    }

    clear() {
      for (const made of this.output.querySelectorAll("img")) URL.revokeObjectURL(made.src);
      this.output.replaceChildren();
    }

    key(event) {
      if (event.key !== "Enter") return;
      if (event.ctrlKey || event.metaKey || event.shiftKey) {
        event.preventDefault();
        if (event.shiftKey) cells[this.number]?.editor.focus();  // numbers begin at 1
        runTo(this);
        return;
      }
      const before = this.editor.value.slice(0, this.editor.selectionStart).split("\n").pop();
      const indent = before.match(/^ */)[0] + (/:\s*$/.test(before) ? "    " : "");
      event.preventDefault();
      document.execCommand("insertText", false, `\n${indent}`);  // unlike setRangeText, undone by Ctrl+Z
    }

    begin() {
      this.clear();
      this.used = true;
      for (const part of this.recorded) part.hidden = true;
      this.state.textContent = "running";
      this.fit();
    }

    end(how, seconds) {
      this.state.textContent = `${how}, ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
    }

    give(kind, value) {
      if (kind === "html") this.output.append(frameOf(value));
      else if (kind.startsWith(".")) this.output.append(this.picture(kind, value));
      else this.print(kind, value);
    }

    print(kind, text) {
      let last = this.output.lastElementChild;
      if (last?.dataset.kind !== kind) {
        last = element("pre", {tabIndex: 0});  // a long line is scrolled with the keyboard, too
        last.dataset.kind = kind;
        this.output.append(last);
      }
      last.append(text);
    }

    picture(kind, bytes) {
      const type = kind === ".svg" ? "image/svg+xml" : `image/${kind.slice(1)}`;
      const src = URL.createObjectURL(new Blob([bytes], {type}));
      return element("img", {src, alt: `what cell ${this.number} draws`});
    }
  }

  function frameOf(html) {
    const given = element("template", {innerHTML: html}).content.querySelector("iframe[srcdoc]");
    const frame = element("iframe", {srcdoc: given?.srcdoc ?? html, title: "a page that the cell shows"});
    return frame;
  }

  // -- Python ---------------------------------------------------------------------------------

  let worker = null, interrupt = null, waiting = null, running = null;
  let started = 0, ran = new Set();

  /** Send something to the worker; resolves to its answer, rejects when Python is gone. */
  function ask(message) {
    return new Promise((resolve, reject) => {
      waiting = {resolve, reject};
      worker.postMessage(message);
    });
  }

  function hear({data}) {
    if (data.kind === "loading") {
      loading.hidden = false;
      loading.value = data.done;
      task = `Loading ${data.name}`;
    } else if (data.kind === "output") {
      running?.give(data.output, data.value);
    } else if (data.kind === "ready" && running) {
      loading.hidden = true;
      task = `Running cell ${running.number} of ${cells.length}`;
    } else if (data.kind === "broken") {
      quit(running ? `Python broke down (${data.message}). ${GONE}` : data.message);
    } else {
      waiting?.resolve(data);
    }
  }

  /** End Python: what it has computed is gone. */
  function quit(why) {
    worker?.terminate();
    worker = null;
    ran = new Set();
    waiting?.reject(new Error(why));
    waiting = null;
  }

  async function placeOfPyodide() {
    const own = new URL("pyodide/", ROOT);
    const lock = new URL("pyodide-lock.json", own);
    const found = await fetch(lock, {method: "HEAD"}).then((answer) => answer.ok, () => false);
    return found ? own.href : CDN;
  }

  async function start() {
    if (worker) return;
    task = "Loading";
    const pyodide = await placeOfPyodide();
    worker = new Worker(new URL("run_here_worker.js", SCRIPT), {type: "module"});
    worker.onmessage = hear;
    worker.onerror = (event) => quit(event.message ?? "the worker could not be started");
    interrupt = self.crossOriginIsolated ? new SharedArrayBuffer(1) : null;
    const minifcn = new URL("minifcn.zip", ROOT).href;
    try {
      await ask({act: "load", pyodide, minifcn, interrupt});
    } catch (error) {
      const stopped = error.message === STOPPED;
      throw stopped ? error : new Error(`Python could not be loaded from ${pyodide} (${error.message}).`);
    }
  }

  const GONE = "What was computed is gone: the next run begins at the first cell.";
  const STOPPED = `Stopped. ${GONE}`;
  let asked = false;

  function stop() {
    if (interrupt && running && !asked) {  // Python ends the cell, and keeps its names
      asked = true;
      new Uint8Array(interrupt)[0] = 2;
      task = "Stopping; press Stop again to end Python";
      return;
    }
    quit(STOPPED);
  }

  // -- Running --------------------------------------------------------------------------------

  let busy = false, task = "", ticking = 0;

  /** Run cells in order, as one task that can be stopped; say how it ended. */
  async function work(which) {
    if (busy) return;
    setBusy(true);
    started = performance.now();
    try {
      await start();
      for (const cell of which()) if (!await runOne(cell)) return;
      say(`Done, ${since(started)}.`);
    } catch (error) {
      running?.end("stopped", secondsSince(started));
      say(error.message);
    } finally {
      running = null;
      setBusy(false);
    }
  }

  async function runOne(cell) {
    running = cell;
    asked = false;
    task = `Running cell ${cell.number} of ${cells.length}`;
    tick();
    cell.begin();
    const began = performance.now();
    const {ended} = await ask({act: "run", number: cell.number, source: cell.editor.value});
    cell.end(ended ? "ran" : asked ? "stopped" : "error", secondsSince(began));
    if (ended) ran.add(cell);
    else {
      say(asked ? `Cell ${cell.number} was stopped; what the cells before it computed is kept.` :
        `Cell ${cell.number} ended with an error.`);
      cell.output.scrollIntoView({block: "nearest"});
    }
    return ended;
  }

  /** Run a cell, and before it those above that have not run yet. */
  function runTo(cell) {
    return work(() => cells.filter((other) =>
      other === cell || (other.number < cell.number && !ran.has(other))));
  }

  async function runAll() {
    openAll();
    await work(() => {
      if (ran.size) worker.postMessage({act: "fresh"});
      ran = new Set();
      return cells;
    });
  }

  function openAll() {
    for (const cell of cells) cell.open();
    bar.classList.add("run-here-active");
  }

  // -- The bar --------------------------------------------------------------------------------

  const secondsSince = (time) => (performance.now() - time) / 1000;
  const since = (time) => duration(secondsSince(time));

  let bar, status, loading, runButton, stopButton, cells;

  function say(text) {
    status.textContent = text;
  }

  /** Once a second, and not in the words that a screen reader hears: the time. */
  function tick() {
    if (busy) say(task);
    clock.textContent = busy ? since(started) : "";
  }

  function setBusy(is) {
    busy = is;
    bar.classList.toggle("run-here-busy", is);
    bar.dataset.busy = is;
    stopButton.hidden = !is;
    loading.hidden = true;
    for (const one of [runButton, ...cells.map((cell) => cell.run)]) {
      if (one) one.ariaDisabled = String(is);
    }
    clearInterval(ticking);
    if (is) ticking = setInterval(tick, 1000);
    else clock.textContent = "";
  }

  const clock = element("span", {className: "run-here-clock", ariaHidden: "true"});

  function introduction() {
    const time = SECONDS[PAGE] ? ` Recorded time to the end: ${duration(SECONDS[PAGE])}.` : "";
    return `Python runs in your browser; up to ${MEGABYTES} MB are loaded when you press the button.${time}`;
  }

  function build(first) {
    status = element("span", {role: "status"});
    loading = element("progress", {max: STAGES, value: 0, hidden: true, ariaLabel: "loading"});
    runButton = button("Run this page", runAll);
    stopButton = button("Stop", stop);
    stopButton.hidden = true;
    bar = element("div", {className: "run-here", role: "group", ariaLabel: "Run this page"},
      runButton, stopButton, loading, status, clock);
    first.place.before(bar);
  }

  function begin() {
    const places = [...document.querySelectorAll("div.cell")].filter((place) =>
      place.querySelector(".cell_input pre"));
    if (!places.length) return;
    cells = places.map((place, n) => new Cell(place, n + 1));
    build(cells[0]);
    const why = NOT_HERE[PAGE] ?? (location.protocol === "file:" &&
      "To run this page here, open it over http: minifcn serve-book SITE, where SITE is this book's folder.");
    if (why) {
      runButton.remove();
      say(why);
      return;
    }
    say(introduction());
    const edits = cells.filter((cell) => kept(cell.number)).length;
    if (edits) {
      openAll();
      say(`You have changed ${edits} of the cells here; Reset brings one back. ${introduction()}`);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
