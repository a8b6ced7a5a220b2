// Python in a worker: loads Pyodide and minifcn, runs cells, tells the page what they give.
"use strict";

// minifcn imports Matplotlib inside of functions, so that a cell's own imports do not tell.
const DRAWS = /\bshow\(|\b(plot|draw|animate)_\w+\(|\bmatplotlib\b/;

let python, cells;

const tell = (kind, rest) => postMessage({kind, ...rest});

async function load({pyodide, minifcn, interrupt}) {
  const stage = (done, name) => tell("loading", {done, name});
  stage(0, "Python");
  const {loadPyodide} = await import(new URL("pyodide.mjs", pyodide));
  // Their own warnings go to the console: nothing else prints before a cell runs.
  python = await loadPyodide({indexURL: pyodide, packageBaseUrl: pyodide});
  if (interrupt) python.setInterruptBuffer(new Uint8Array(interrupt));
  stage(1, "NumPy");
  await packages(["numpy"]);
  stage(2, "Pillow");
  await packages(["pillow", "threadpoolctl"]);
  stage(3, "minifcn");
  const response = await fetch(minifcn);
  if (!response.ok) throw new Error(`${minifcn}: ${response.status}`);
  const folder = python.runPython("import site; site.getsitepackages()[0]");
  python.unpackArchive(await response.arrayBuffer(), "zip", {extractDir: folder});
  fresh();
  tell("ready");
}

async function packages(names) {
  const failed = [];
  await python.loadPackage(names, {
    messageCallback() {}, errorCallback: (message) => failed.push(message), checkIntegrity: true,
  });
  if (failed.length) throw new Error(failed.join("; "));
}

function fresh() {
  cells?.destroy();
  const make = python.runPython(
    "import importlib; importlib.invalidate_caches()\n" +
    "from minifcn.course.in_page import Cells; Cells");
  cells = make((kind, value) => {
    const plain = value?.toJs ? value.toJs() : value;
    tell("output", {output: kind, value: plain});
  });
  make.destroy();
}

async function run({number, source}) {
  let ended = false;
  try {
    if (DRAWS.test(source)) {
      const loaded = "matplotlib" in python.loadedPackages;
      if (!loaded) tell("loading", {done: 4, name: "Matplotlib"});
      await packages(["matplotlib"]);
      if (!loaded) tell("ready");
    }
    await python.loadPackagesFromImports(source, {messageCallback() {}, errorCallback() {}});
  } catch (error) {
    tell("output", {output: "stderr", value: `${error.message ?? error}\n`});
  }
  ended = cells.run(number, source);
  tell("ran", {ended});
}

const doers = {load, run, fresh};

self.onmessage = async ({data}) => {
  try {
    await doers[data.act](data);
  } catch (error) {
    tell("broken", {message: String(error.message ?? error).trim().split("\n").pop()});
  }
};
