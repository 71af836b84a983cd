"use strict";

const POINTS = 60;  // of a trend: a minute
const trends = new Map();
const known = new Map();
const $ = id => document.getElementById(id);

function duration(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} d`;
}

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) { bytes /= 1024; unit++; }
  return `${unit && bytes < 100 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

const count = number => number.toLocaleString("en");

function fill(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value]) => {
    const pair = document.createElement("div");
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    pair.append(term, text);
    return pair;
  }));
}

function cardOf(listener) {
  const id = `listener-${listener.name}`;
  let card = $(id);
  if (card) return card;
  card = $("card").content.firstElementChild.cloneNode(true);
  card.id = id;
  card.querySelector("button").addEventListener("click", copy);
  $("listeners").append(card);
  return card;
}

async function copy(event) {
  const button = event.currentTarget;
  try {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function draw(card, name, traffic, uptime) {
  const trend = trends.get(name) ?? { last: traffic, at: uptime, rates: [] };
  trends.set(name, trend);
  if (uptime > trend.at) {
    trend.rates.push(Math.max(0, traffic - trend.last) / (uptime - trend.at));
    trend.rates = trend.rates.slice(-POINTS);
  }
  trend.last = traffic;
  trend.at = uptime;
  const most = Math.max(1, ...trend.rates);
  const first = POINTS - trend.rates.length;
  const points = trend.rates.map((rate, i) => `${(first + i) * 120 / (POINTS - 1)},${27 - rate / most * 26}`);
  card.querySelector("polyline").setAttribute("points", points.join(" "));
  card.querySelector("svg").setAttribute("aria-label", `traffic of ${name} in the last minute`);
  card.querySelector(".caption").textContent = `${size(trend.rates.at(-1) ?? 0)}/s, in and out, over the last minute`;
}

function showListener(listener, examples, uptime) {
  const card = cardOf(listener);
  card.querySelector("h3").textContent = listener.name;
  card.querySelector(".badge").textContent = listener.paused ? `${listener.protocol}, paused` : listener.protocol;
  card.querySelector(".addresses").replaceChildren(...listener.bind.map(url => {
    const item = document.createElement("li");
    item.textContent = url;
    return item;
  }));
  const line = examples[listener.name]?.[0];
  card.querySelector(".try").hidden = !line;
  const code = card.querySelector(".try code");
  if (line && code.textContent !== line) code.textContent = line;  // else a selection would be lost
  fill(card.querySelector("dl"), [
    ["open", count(listener.active)], ["accepted", count(listener.accepted)],
    ["in", size(listener.bytes_in)], ["out", size(listener.bytes_out)],
  ]);
  draw(card, listener.name, listener.bytes_in + listener.bytes_out, uptime);
}

function rowOf(worker) {
  const row = document.createElement("tr");
  const key = `${worker.pool}/${worker.slot}`;
  if (known.has(key) && known.get(key) !== worker.pid) row.className = "new";
  known.set(key, worker.pid);
  const texts = [worker.slot, worker.pid, worker.state];
  const numbers = [
    count(worker.connections), count(worker.accepted), count(worker.requests), size(worker.rss),
    `${worker.lag_ms.toFixed(1)} ms`, duration(worker.uptime),
  ];
  for (const [i, value] of [...texts, ...numbers].entries()) {
    const cell = document.createElement("td");
    cell.textContent = value;
    if (i >= texts.length) cell.className = "number";
    row.append(cell);
  }
  return row;
}

function show(facts) {
  $("version").textContent = facts.version;
  $("served-by").textContent = `${facts.slot} (process ${facts.served_by})`;
  $("connection").classList.toggle("live", !facts.stale);
  if (facts.stale) {
    $("connection").textContent = "the master does not answer";
    return;
  }
  $("connection").textContent = `${facts.state}, process ${facts.pid}, up ${duration(facts.uptime)}`;
  fill($("totals"), [
    ["requests", count(facts.totals.requests)], ["connections", count(facts.totals.accepted)],
    ["reloads", count(facts.generation)], ["restarts", count(facts.totals.restarts)],
  ]);
  const names = new Set(facts.listeners.map(each => `listener-${each.name}`));
  for (const card of [...$("listeners").children]) if (!names.has(card.id)) card.remove();
  for (const each of facts.listeners) showListener(each, facts.examples, facts.uptime);
  $("workers").replaceChildren(...facts.workers.map(rowOf));
}

let silence;

function follow() {
  const events = new EventSource("events");  // the browser reconnects by itself
  events.onmessage = event => {
    clearTimeout(silence);
    silence = setTimeout(lost, 5000);
    show(JSON.parse(event.data));
  };
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) { lost(); setTimeout(follow, 2000); } };
}

function lost() {
  $("connection").classList.remove("live");
  $("connection").textContent = "no answer: the pool has stopped, or this network is down";
}

follow();
