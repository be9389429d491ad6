// Beside the form of a check: while somebody types, asks the server when the job is next
// expected, and shows which slug a name makes. Without it the form does the same when it is sent.
/* global localize */
"use strict";

(() => {
  const form = document.querySelector("form[data-preview]");
  const box = document.getElementById("preview");
  if (!form || !box) return;
  const asked = ["org", "schedule", "period", "cron_expression", "timezone", "grace"];
  let waiting = 0;
  let running = new AbortController();

  const ask = async () => {
    running.abort();
    running = new AbortController();
    const typed = new FormData(form);
    const query = new URLSearchParams(asked.map((name) => [name, typed.get(name) ?? ""]));
    try {
      const answer = await fetch(`${form.dataset.preview}?${query}`, { signal: running.signal });
      const text = await answer.text();
      if (answer.ok) {
        box.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
        localize(box);
      } else {
        box.textContent = text;
      }
    } catch {
      // Asked again at the next key, or the network is away: what stands there may stay.
    }
  };

  form.addEventListener("input", (event) => {
    if (asked.includes(event.target.name)) {
      clearTimeout(waiting);
      waiting = setTimeout(ask, 250);
    }
    if (event.target.name === "name" && form.elements.slug && !form.dataset.edit) {
      const words = event.target.value.toLowerCase().match(/[a-z0-9]+/g) ?? [];
      form.elements.slug.placeholder = words.join("-").slice(0, 100);
    }
  });
})();
