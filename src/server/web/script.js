// What pages do beyond showing: tell times in the reader's own zone, copy lines, open an output
// in its place; refresh.js keeps them up to date. Everything works without it.
"use strict";

const day = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const short = new Intl.DateTimeFormat(undefined, day);
const withYear = new Intl.DateTimeFormat(undefined, { ...day, year: "numeric" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

function clock(date) {
  return (date.getFullYear() === new Date().getFullYear() ? short : withYear).format(date);
}

// Times come in UTC.
function localize(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (time.classList.contains("clock")) time.textContent = clock(date);
    time.title = `${exact.format(date)} (${time.title})`;
  }
  for (const title of root.querySelectorAll("svg title")) {
    title.textContent = title.textContent.replace(
      /(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC/g,
      (_, date, hour) => clock(new Date(`${date}T${hour}Z`)),
    );
  }
}

// Buttons that only a script can serve.
function enable(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = !navigator.clipboard;
}

function prepare(root) {
  localize(root);
  enable(root);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    tell("Copied");
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
    return;
  }
  const link = event.target.closest("a[data-output]");
  const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (link && plain) {
    event.preventDefault();
    toggle(link).catch(() => location.assign(link.href));
  }
});

// Shows what the linked page has of the run, below its line.
async function toggle(link) {
  const row = link.closest("tr");
  if (link.ariaExpanded === "true") {
    link.ariaExpanded = "false";
    row.nextElementSibling.remove();
    return;
  }
  const run = (await page(link.href)).getElementById("run");
  const cell = document.createElement("td");
  cell.colSpan = row.cells.length;
  run.removeAttribute("id");
  cell.append(run);
  localize(cell);
  const line = document.createElement("tr");
  line.className = "opened";
  line.dataset.key = `output of ${link.getAttribute("href")}`;
  line.append(cell);
  row.after(line);
  link.ariaExpanded = "true";
}

async function page(url, signal) {
  const answer = await fetch(url, { signal });
  // Signed out meanwhile, or gone.
  if (!answer.ok || answer.redirected) throw Object.assign(new Error(answer.status), { answer });
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// For whoever does not see what changed.
function tell(words) {
  let place = document.getElementById("news");
  if (!place) {
    place = document.createElement("p");
    place.id = "news";
    place.className = "unseen";
    place.role = "status";
    document.body.append(place);
  }
  place.textContent = words;
}

prepare(document);
