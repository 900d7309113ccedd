/** What calls a person back to the page: the title, and notifications of the desktop. */

import { summary } from "./summary.js";
import { text } from "./text.js";

/** Shows in the title how many messages were not seen. */
export function showUnread(count) {
  document.title = count > 0 ? `(${count}) ${text("product")}` : text("product");
}

/** Whether somebody looks at the page. */
export function isLooking() {
  return document.visibilityState === "visible" && document.hasFocus();
}

/** Tells of a message to somebody who looks elsewhere, where they allowed it. */
export function notify(message, name, open) {
  if (isLooking() || globalThis.Notification?.permission !== "granted") return;
  try {
    const body = summary(message);
    // Several tabs tell of the same message: one takes the place of the other, and does not call again.
    const notice = new Notification(name, { body, tag: `yanshu ${message.id}`, icon: "web/icon.svg" });
    notice.onclick = () => {
      window.focus();
      open();
      notice.close();
    };
  } catch {
    // Some phones take notifications from service workers only.
  }
}
