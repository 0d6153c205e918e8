// Passkeys: hands what the server asks to the browser, and what the browser answers to the form.
"use strict";

// In the reader's language, from the page.
const sentences = document.currentScript.dataset;

function bytesOf(text) {
  const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function textOf(buffer) {
  const characters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte));
  return btoa(characters.join("")).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function withBytes(list) {
  return (list || []).map((entry) => ({ ...entry, id: bytesOf(entry.id) }));
}

async function create(options, form) {
  const asked = { ...options.publicKey };
  asked.challenge = bytesOf(asked.challenge);
  asked.user = { ...asked.user, id: bytesOf(asked.user.id) };
  asked.excludeCredentials = withBytes(asked.excludeCredentials);
  const alone = form.elements.namedItem("passwordless");
  if (alone) {
    asked.authenticatorSelection = {
      ...asked.authenticatorSelection,
      residentKey: alone.checked ? "required" : "discouraged",
      requireResidentKey: alone.checked,
      userVerification: alone.checked ? "required" : "preferred",
    };
  }
  const made = await navigator.credentials.create({ publicKey: asked });
  return {
    ...common(made),
    response: {
      attestationObject: textOf(made.response.attestationObject),
      clientDataJSON: textOf(made.response.clientDataJSON),
      transports: made.response.getTransports ? made.response.getTransports() : [],
    },
  };
}

async function get(options) {
  const asked = { ...options.publicKey };
  asked.challenge = bytesOf(asked.challenge);
  asked.allowCredentials = withBytes(asked.allowCredentials);
  const shown = await navigator.credentials.get({ publicKey: asked });
  const handle = shown.response.userHandle;
  return {
    ...common(shown),
    response: {
      authenticatorData: textOf(shown.response.authenticatorData),
      clientDataJSON: textOf(shown.response.clientDataJSON),
      signature: textOf(shown.response.signature),
      userHandle: handle && handle.byteLength ? textOf(handle) : null,
    },
  };
}

function common(credential) {
  return {
    type: credential.type,
    id: credential.id,
    rawId: textOf(credential.rawId),
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

// The server's question: in the page, or fetched where nobody is known yet.
async function optionsOf(form) {
  if (form.dataset.options) {
    return JSON.parse(form.dataset.options);
  }
  const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    throw new Error("no options");
  }
  return (await answer.json()).request_options;
}

function inWords(error) {
  switch (error.name) {
    case "InvalidStateError": return sentences.registered;
    case "SecurityError": return sentences.wrongAddress;
    case "NotAllowedError":
    case "AbortError": return sentences.cancelled;
    default: return sentences.failed;
  }
}

function prepare(form) {
  const button = form.querySelector("button[type=button]");
  const note = form.querySelector("[role=alert][hidden]");
  if (!window.PublicKeyCredential) {
    return;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    note.hidden = true;
    try {
      const ask = form.dataset.passkey === "create" ? create : get;
      const credential = await ask(await optionsOf(form), form);
      form.elements.namedItem("credential").value = JSON.stringify(credential);
      form.submit();
    } catch (error) {
      note.textContent = inWords(error);
      note.hidden = false;
      button.disabled = false;
    }
  });
}

document.querySelectorAll("form[data-passkey]").forEach(prepare);
