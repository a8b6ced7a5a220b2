// Cases of minifcn's kernels, one a line, each repeated by proof.js: true or false for each.
"use strict";
const {createInterface} = require("node:readline");
const Proof = require(`${process.argv[2]}/proof.js`);

createInterface({input: process.stdin}).on("line", line =>
  console.log(JSON.stringify(Proof.holds(JSON.parse(line)))));
