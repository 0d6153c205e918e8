// Renews the parts of a page that change while a backup runs, without loading it anew: every few
// seconds then, ever more seldom otherwise, and never in a tab that nobody sees.
"use strict";

const QUICK = 3000, FIRST = 5000, SLOWEST = 60000; // milliseconds

function renew(page, fragment) {
  for (const fresh of fragment.querySelectorAll("[data-part]")) {
    const shown = page.querySelector(`[data-part="${fresh.dataset.part}"]`);
    // Words that are read aloud are left alone while they are the same.
    if (!shown || (shown.hasAttribute("aria-live") && shown.textContent.trim() === fresh.textContent.trim())) {
      continue;
    }
    const focused = shown.contains(document.activeElement) && document.activeElement.getAttribute("href");
    shown.replaceChildren(...fresh.childNodes);
    shown.querySelectorAll("time[data-local]").forEach(tellInOwnZone);
    if (focused) {
      shown.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    }
  }
}

function watch(page) {
  let version = page.dataset.version, pause = FIRST, timer;

  async function ask() {
    const answer = await fetch(page.dataset.live, {
      headers: { "If-None-Match": version }, cache: "no-store", redirect: "error",
    });
    if (answer.status === 200) {
      version = answer.headers.get("ETag");
      renew(page, new DOMParser().parseFromString(await answer.text(), "text/html"));
      pause = FIRST;
    } else {
      pause = Math.min(pause * 1.5, SLOWEST);
    }
    return answer.ok || answer.status === 304 || answer.status >= 500;
  }

  async function turn() {
    let goesOn = true;
    try {
      goesOn = await ask();
    } catch { // away for a moment, or signed out
      pause = Math.min(pause * 2, SLOWEST);
    }
    if (goesOn) {
      wait();
    }
  }

  function wait() {
    clearTimeout(timer);
    if (!document.hidden) {
      timer = setTimeout(turn, page.querySelector("[data-running]") ? QUICK : pause);
    }
  }

  document.addEventListener("visibilitychange", wait);
  wait();
}

document.querySelectorAll("[data-live]").forEach(watch);
