// Comfort only: every page works without this file. Typeahead, live preview, live status, and a key for the search.
"use strict";
(() => {
  const search = document.querySelector("[data-search]");
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea, select");
    if ((event.key === "/" && !typing) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey))) {
      event.preventDefault();
      if (search) search.elements.q.focus();
      else location.href = "/";
    }
  });

  // One request at a time is on its way; only the newest answer is shown.
  const latest = (show) => {
    let number = 0;
    let timer;
    return (url) => {
      const mine = ++number;
      clearTimeout(timer);
      timer = setTimeout(async () => {
        try {
          const answer = await fetch(url, { headers: { Accept: "text/html" } });
          const html = await answer.text();
          if (mine === number && answer.ok) show(html);
        } catch {
          // The page without the script still answers.
        }
      }, 120);
    };
  };

  if (search) {
    const results = document.querySelector("[data-results]");
    const heading = document.querySelector("[data-found]");
    const before = results.innerHTML;
    const told = heading.textContent;
    const look = latest((html) => {
      results.innerHTML = html;
      heading.textContent = "Found";
    });
    search.elements.q.addEventListener("input", () => {
      const q = search.elements.q.value.trim();
      if (q) look("/search?q=" + encodeURIComponent(q));
      else {
        results.innerHTML = before;
        heading.textContent = told;
      }
    });
  }

  const form = document.querySelector("[data-outcome]");
  if (form) {
    const says = form.querySelector("[data-says]");
    const look = latest((html) => {
      says.innerHTML = html;
    });
    const ask = () => {
      const sent = new FormData(form);
      const query = new URLSearchParams();
      query.set("duration", (sent.get("other_duration") || "").trim() || sent.get("duration") || "");
      query.set("justification", sent.get("justification") || "");
      if (sent.get("person")) query.set("person", sent.get("person"));
      look(form.dataset.outcome + "?" + query);
    };
    form.addEventListener("input", (event) => {
      if (event.target.name === "duration") form.elements.other_duration.value = "";
      ask();
    });
  }

  const live = document.querySelector("[data-live]");
  if (live) {
    const started = Date.now();
    const timer = setInterval(async () => {
      if (Date.now() - started > 600000) return clearInterval(timer);
      if (document.hidden || live.contains(document.activeElement)) return;
      try {
        const answer = await fetch(location.href);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("main > section");
        if (fresh && fresh.innerHTML !== live.innerHTML) live.innerHTML = fresh.innerHTML;
        if (fresh && !fresh.hasAttribute("data-live")) clearInterval(timer);
      } catch {
        // Tried again in a second.
      }
    }, 1000);
  }
})();
