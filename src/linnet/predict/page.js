"use strict";
// Text from the server only ever becomes textContent, so that no name of a taxon can be markup.
const $ = (id) => document.getElementById(id);
let shown = "";

function say(text, problem) {
  $("status").textContent = text;
  $("status").className = problem ? "problem" : "";
}

function cell(row, text) {
  const td = document.createElement("td");
  td.textContent = text;
  row.append(td);
  return td;
}

function show(told) {
  $("name").textContent = told.name ? `${told.name} (${told.rank})` : "not sure of anything";
  $("chain").replaceChildren();
  for (const step of told.chain) {
    const row = document.createElement("tr");
    row.className = step.said ? (step.rank === told.rank ? "said last" : "said") : "below";
    cell(row, step.rank);
    cell(row, step.name);
    const meter = document.createElement("meter");
    meter.value = step.score;
    const score = cell(row, `${(100 * step.score).toFixed(1)} %${step.rank === told.rank ? " – stops here" : ""}`);
    score.prepend(meter);
    $("chain").append(row);
  }
  const about = told.about;
  const risk = about.risk === null ? about.stop : `${about.stop}, risk ${about.risk}, calibration ${about.calibration}`;
  $("about").textContent = `${about.model} ${about.revision}; ${about.taxonomy} ${about.taxonomy_fingerprint}; ${risk}`;
  $("result").hidden = false;
}

async function ask(file) {
  if (!file) return;
  say("looking …", false);
  $("result").hidden = true;
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(file);
  $("photo").src = shown;
  try {
    const reply = await fetch("predict", { method: "POST", body: file });
    const told = await reply.json();
    if (told.problem) { say(told.problem, true); return; }
    show(told);
    say("", false);
  } catch (error) {
    say("no answer from linnet serve, or the file is too large", true);
  }
}

$("file").addEventListener("change", () => ask($("file").files[0]));
const drop = $("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") ask(event.dataTransfer.files[0]);
  });
}
