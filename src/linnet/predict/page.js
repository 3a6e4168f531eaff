"use strict";
// Text from the server only ever becomes textContent, so that no name of a taxon can be markup.
const $ = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
let shown = "", asked = 0;

function say(text, problem) {
  $("status").textContent = text;
  $("status").className = problem ? "problem" : "";
}

function add(row, tag, text) {
  const cell = document.createElement(tag);
  cell.textContent = text;
  row.append(cell);
  return cell;
}

function rowOf(step) {
  const row = document.createElement("tr");
  row.className = step.said ? "said" : "below";
  add(row, "th", step.rank).scope = "row";
  add(row, "td", step.name);
  const bar = document.createElement("span"), filled = document.createElement("i");
  bar.className = "bar";
  filled.style.width = `${100 * step.score}%`;
  bar.append(filled);
  add(row, "td", "").append(bar);
  add(row, "td", percent(step.score)).className = "n";
  return row;
}

function border() {
  const row = document.createElement("tr");
  row.className = "stop";
  add(row, "td", "the answer stops here; less sure of what is below").colSpan = 4;
  return row;
}

function promise(about) {
  if (about.risk === null) return "Not calibrated: how often such answers are right is not known.";
  return `Calibrated so that at least ${+(100 * (1 - about.risk)).toFixed(2)} % of photos like the labelled ones get a right answer.`;
}

function show(told) {
  const { about, chain } = told, last = chain[chain.length - 1];
  $("name").textContent = told.name || "Not sure of anything";
  $("stops").textContent = told.name ? `${told.rank}, ${percent(told.score)}` : "no taxon is sure enough";
  $("chain").replaceChildren(...chain.map(rowOf));
  const sure = chain.filter((step) => step.said).length;
  if (last && !last.said) $("chain").insertBefore(border(), $("chain").children[sure]);
  $("promise").textContent = promise(about);
  const names = [`model ${about.model} ${about.revision}`, `names of ${about.taxonomy} ${about.taxonomy_fingerprint}`];
  names.push(`stop ${about.stop}`, about.calibration ? `calibration ${about.calibration}` : "no calibration");
  $("about").textContent = names.join("; ");
  $("result").hidden = false;
}

async function ask(file) {
  if (!file) return;
  const turn = ++asked; // a photo chosen meanwhile takes the place of this one
  say("looking …", false);
  $("result").hidden = true;
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(file);
  $("photo").src = shown;
  $("photo").alt = file.name;
  try {
    const reply = await fetch("predict", { method: "POST", body: file });
    const told = await reply.json();
    if (turn !== asked) return;
    if (told.problem) { say(`${file.name}: ${told.problem}`, true); return; }
    show(told);
    say("", false);
  } catch (error) {
    if (turn === asked) say("no answer from linnet serve, or the file is too large", true);
  }
}

$("file").addEventListener("change", () => {
  ask($("file").files[0]);
  $("file").value = ""; // so that the same photo can be chosen again
});
for (const name of ["dragover", "dragleave", "drop"]) {
  window.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", name === "dragover");
    if (name === "drop") ask(event.dataTransfer.files[0]);
  });
}
