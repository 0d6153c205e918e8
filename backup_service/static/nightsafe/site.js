// What a page cannot do without a script: text on the clipboard, a code from the address, moments in
// the visitor's zone. Every page works without it.
"use strict";

const WORDS = {
  "en-gb": ["Copy", "Copied", "Please select and copy"],
  de: ["Kopieren", "Kopiert", "Bitte markieren und kopieren"],
};
const [COPY, COPIED, BY_HAND] = WORDS[document.documentElement.lang] || WORDS["en-gb"];

function addCopyButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = COPY;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent.trim());
      button.textContent = COPIED;
    } catch {
      button.textContent = BY_HAND;
    }
    setTimeout(() => { button.textContent = COPY; }, 2500);
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
