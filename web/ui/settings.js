/** How a person wants the page: language, colours, notifications. Kept for all tabs. */

import { browser } from "./kept.js";
import { speak, text } from "./text.js";

const dialog = document.querySelector("#settings");
const language = document.querySelector("#language");
const theme = document.querySelector("#theme");
const notify = document.querySelector("#notify");

/**
 * Applies what was chosen before, and lets it be changed.
 *
 * @param {object} on `language()` after the language changed; `signOut()`
 */
export function settle(on) {
  const chosen = (name) => browser.get(`yanshu ${name}`) ?? "";
  const choose = (name, value) => browser.set(`yanshu ${name}`, value);
  const colour = () => {
    if (theme.value) document.documentElement.dataset.theme = theme.value;
    else delete document.documentElement.dataset.theme;
  };
  language.value = chosen("language");
  theme.value = chosen("theme");
  speak(language.value);
  colour();
  language.onchange = () => {
    choose("language", language.value);
    speak(language.value);
    showNotify();
    on.language();
  };
  theme.onchange = () => {
    choose("theme", theme.value);
    colour();
  };
  notify.onclick = async () => {
    await Notification.requestPermission();
    showNotify();
  };
  document.querySelector("#open-settings").onclick = () => {
    showNotify();
    dialog.showModal();
  };
  document.querySelector("#sign-out").onclick = () => on.signOut();
}

function showNotify() {
  const permission = globalThis.Notification?.permission ?? "denied";
  notify.textContent = text({ granted: "notifyOn", denied: "notifyOff", default: "notify" }[permission]);
  notify.disabled = permission !== "default";
}
