/** Who this is: asked once for each tab, so that two people can sit at one browser. */

import { tab } from "./kept.js";
import { text } from "./text.js";

const KEPT = "yanshu session";

/** Who is signed in in this tab: `{ userId, token }`, or nothing. */
export function signedIn() {
  try {
    return JSON.parse(tab.get(KEPT));
  } catch {
    return null;
  }
}

/** Nothing of this person stays in the tab. */
export function signOut() {
  tab.clear();
}

/**
 * Asks who this is.
 *
 * @param {boolean} asksForToken whether the server does
 * @param {string} why what went wrong the last time
 * @returns {Promise<{ userId: string, token: string | undefined }>}
 */
export function askWho(asksForToken, why = "") {
  const form = document.querySelector("#sign-in-form");
  const error = document.querySelector("#sign-in-error");
  const { userId, token } = form.elements;
  document.querySelector("#sign-in-hint").dataset.text = asksForToken ? "signInHintToken" : "signInHint";
  document.querySelector("#sign-in-hint").textContent = text(asksForToken ? "signInHintToken" : "signInHint");
  document.querySelector("#token-field").hidden = !asksForToken;
  document.querySelector("#sign-in").hidden = false;
  token.required = asksForToken;
  error.textContent = why;
  userId.value ||= signedIn()?.userId ?? "";
  token.value = "";
  userId.oninput = () =>
    userId.setCustomValidity(userId.validity.patternMismatch ? text("badUserId") : "");
  userId.focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      document.querySelector("#sign-in").hidden = true;
      const who = { userId: userId.value, token: asksForToken ? token.value.trim() : undefined };
      tab.set(KEPT, JSON.stringify(who));
      resolve(who);
    };
  });
}
