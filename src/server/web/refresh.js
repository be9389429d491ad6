// Keeps a page up to date: asks for it again and changes only what differs, so that what stays
// keeps its focus, its place in a box that scrolls and what is typed in it; and says since when
// it could not. Follows script.js in the same file.

// So long after somebody typed, chose or marked something they are left alone, milliseconds.
const CALM = 15_000;
// How long the server may take to answer, milliseconds.
const PATIENCE = 20_000;

let touched = 0;
for (const kind of ["input", "keydown", "pointerdown"]) {
  document.addEventListener(kind, (event) => {
    if (event.target.matches?.("input, select, textarea")) touched = Date.now();
  }, true);
}
document.addEventListener("selectionchange", () => {
  if (!getSelection().isCollapsed) touched = Date.now();
});

// By what a node is told from its neighbours; where by nothing, by its place.
function key(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  const link = node.localName === "tr" ? node.querySelector("a[href]")?.getAttribute("href") : "";
  return node.dataset.key || node.id || node.getAttribute("aria-labelledby") || link || "";
}

const isSame = (one, other) => one.nodeName === other.nodeName && key(one) === key(other);

// Which of the nodes from `at` on is what `child` is now. What has a key is looked for to the end,
// other elements up to one that has a key, and a text only where it stands: else the space
// between two rows would take the place of a row.
function find(at, child) {
  const isElement = child.nodeType === Node.ELEMENT_NODE;
  for (let node = at; node; node = node.nextSibling) {
    if (isSame(node, child)) return node;
    if (!isElement || (!key(child) && key(node))) return null;
  }
  return null;
}

// Makes `old` what `fresh` is.
function become(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // What is unfolded was unfolded here.
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = find(at, child);
    if (!same) {
      old.insertBefore(child, at);
      continue;
    }
    while (at !== same) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    become(same, child);
    at = same.nextSibling;
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// Outputs that were opened stay, also of a run that the list has no line for any more.
function carry(opened, fresh) {
  const row = opened.previousElementSibling;
  const href = row.querySelector("a[data-output]").getAttribute("href");
  let link = fresh.querySelector(`a[data-output][href="${CSS.escape(href)}"]`);
  if (!link) {
    const line = row.cloneNode(true);
    fresh.querySelector("table.runs tbody")?.append(line);
    link = line.querySelector("a[data-output]");
  }
  link.ariaExpanded = "true";
  link.closest("tr").after(opened.cloneNode(true));
}

function show(next) {
  const main = document.querySelector("main");
  const fresh = next.querySelector("main");
  const focus = main.contains(document.activeElement) ? document.activeElement : null;
  prepare(fresh);
  for (const opened of main.querySelectorAll("tr.opened")) carry(opened, fresh);
  const line = main.querySelector("#updated");
  if (line) fresh.querySelector("#updated")?.replaceWith(line.cloneNode(true));
  become(main, fresh);
  if (focus && !focus.isConnected) {
    const href = focus.getAttribute("href");
    const again = href ? main.querySelector(`a[href="${CSS.escape(href)}"]`) : null;
    again?.focus({ preventScroll: true });
  }
  if (document.title !== next.title) {
    document.title = next.title;
    tell(next.title);
  }
}

const toTheSecond = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const toTheMinute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
let updated = new Date(performance.timeOrigin);

// Quietly when the page was made; so that nobody misses it, why it is old.
function state(words, link) {
  const line = document.getElementById("updated");
  if (!line) return;
  const isStale = words !== undefined;
  const text = words ?? `Updated ${toTheSecond.format(updated)}`;
  if (isStale !== line.classList.contains("stale")) tell(text);
  line.classList.toggle("stale", isStale);
  // A link that somebody is about to follow is not taken away from them.
  if (isStale && line.textContent.startsWith(text)) return;
  line.replaceChildren(text);
  if (link) line.append(link);
}

// Why there is no news, and the link that mends it.
function excuse({ answer }) {
  const since = `Not updated since ${toTheMinute.format(updated)}`;
  if (answer?.redirected && new URL(answer.url).pathname.endsWith("/sign-in")) {
    const link = document.createElement("a");
    link.href = answer.url;
    link.textContent = "sign in";
    return ["You are signed out: ", link];
  }
  if (answer?.ok) return [`${since}: something else came in place of this page`];
  if (answer?.status === 404) return [`${since}: it is not there any more`];
  if (answer) return [`${since}: the server answers with an error (${answer.status})`];
  return [`${since}: the server can't be reached`];
}

async function refresh() {
  let next;
  try {
    next = await page(location.href, AbortSignal.timeout(PATIENCE));
  } catch (error) {
    state(...excuse(error));
    return;
  }
  // Such as the page of a network that wants to be paid first.
  if (!next.getElementById("updated")) {
    state(...excuse({ answer: { ok: true } }));
    return;
  }
  // Somebody may have begun to type meanwhile: then the page stays as old as it says.
  if (!isBusy()) {
    show(next);
    updated = new Date();
  }
  state();
}

const isBusy = () => document.hidden || Date.now() - touched < CALM;

const seconds = Number(document.body.dataset.refresh);
if (seconds > 0) {
  let isAsking = false;
  const now = async () => {
    if (isAsking || isBusy()) return;
    isAsking = true;
    await refresh().finally(() => (isAsking = false));
  };
  const often = async () => {
    await now();
    setTimeout(often, isBusy() ? CALM : seconds * 1000);
  };
  setTimeout(often, seconds * 1000);
  document.addEventListener("visibilitychange", now);
  state();
}
