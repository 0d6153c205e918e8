// What a page cannot do without a script: text on the clipboard, a code from the address, moments in
// the visitor's zone. Every page works without it.
"use strict";

// In the reader's language, from the page.
const words = document.currentScript.dataset;

function addCopyButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = words.copy;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent.trim());
      button.textContent = words.copied;
    } catch {
      button.textContent = words.byHand;
    }
    setTimeout(() => { button.textContent = words.copy; }, 2500);
  });
  block.append(button);
}

document.querySelectorAll("[data-copy]").forEach(addCopyButton);

// A code that came in the address's fragment, which no server sees.
const codeField = document.querySelector("[data-code]");
if (codeField && /^#[A-Z]{4}-[A-Z]{4}$/.test(location.hash)) {
  codeField.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}

const moments = new Intl.DateTimeFormat(document.documentElement.lang || undefined, {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
  timeZoneName: "short",
});

function tellInOwnZone(time) {
  const told = moments.format(new Date(time.dateTime));
  if (time.dataset.local === "text") {
    time.textContent = told;
  } else {
    time.title = told;
  }
}

document.querySelectorAll("time[data-local]").forEach(tellInOwnZone);
