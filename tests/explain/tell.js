// Stories of cases: what the page shows, in numbers. One case a line; for each a list of stories
// {view, direction, grain, steps, values, texts, unlike}: the results after the last step, the sum of
// each step, and the links that lead one way only.
"use strict";
const {createInterface} = require("node:readline");
const E = require(`${process.argv[2]}/engine.js`);
const S = require(`${process.argv[2]}/stories.js`);

const last = told => S.valuesAt(told, told.steps.length - 1);
// Each sum in words, and the numbers that this step says it writes, by name, as the page shows them.
const texts = told => told.steps.map(step => ({sum: step.sum(), sets: Object.entries(step.sets)
  .flatMap(([name, pairs]) => pairs.map(([flat, v]) =>
    [S.place(name, told.arrays[name].shape, flat), S.number(v)]))}));
const result = (view, direction, grain, told) =>
  ({view, direction, grain, steps: told.steps.length, values: last(told), texts: texts(told)});

function unlike(name, s, given, direction, told) {
  const found = {};
  for (const [array, {data}] of Object.entries(told.arrays)) for (let i = 0; i < data.length; i++)
    for (const [other, flats] of Object.entries(S.links(name, s, given, direction, array, i, told)))
      for (const flat of flats) found[`${array}:${i}>${other}:${flat}`] = true;
  const turned = link => link.split(">").reverse().join(">");
  return Object.keys(found).filter(link => !found[turned(link)]);
}

function stories(one) {
  if (one.operation === "cross_entropy")
    return [result("", "forward", "window", S.crossEntropyStory(one.scores, one.label))];
  if (one.operation === "iou") {
    const n = one.counts.length;
    return [result("", "forward", "window", S.iouStory([1, n, n], one.counts.flat()))];
  }
  const s = one.settings, given = {}, found = [];
  const operation = E.operations[one.operation];
  for (const [key, shape] of Object.entries(operation.inputs(s)))
    given[key] = E.of(shape, one.given[key]);
  const gradient = E.of(one.shape, one.gradient);
  for (const direction of ["forward", "backward"]) for (const grain of ["window", "tap"]) {
    const told = S.story(one.operation, s, given, {direction, grain, gradient});
    found.push({...result("", direction, grain, told),
      unlike: unlike(one.operation, s, given, direction, told)});
  }
  if (one.operation !== "conv_transpose2d") return found;
  const views = {zeros: grain => S.zerosStory(s, given, {grain}), matrix: () => S.matrixStory(s, given)};
  for (const [view, tell] of Object.entries(views)) for (const grain of ["window", "tap"]) {
    try {
      found.push(result(view, "forward", grain, tell(grain)));
    } catch (error) {
      if (!(error instanceof E.Unfit)) throw error;
      found.push({view, unfit: error.message});
    }
  }
  return found;
}

createInterface({input: process.stdin}).on("line", line =>
  console.log(JSON.stringify(stories(JSON.parse(line)))));
