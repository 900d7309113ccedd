/** The web client: signs a person in, and gives them their messenger. */

import { Messenger } from "./ui/messenger.js";
import { settle } from "./ui/settings.js";
import { askWho, signedIn, signOut } from "./ui/sign-in.js";
import { text } from "./ui/text.js";

/** A server that does not answer is asked again after so long. */
const AGAIN_AFTER = 3000;

let messenger;

settle({
  language: () => messenger?.redraw(),
  signOut: () => {
    signOut();
    messenger?.end();
    location.replace(new URL(".", document.baseURI));
  },
});

const { tokens, files } = await configuration();
const before = signedIn();
let who = before && Boolean(before.token) === tokens ? before : await askWho(tokens);
for (;;) {
  messenger = await Messenger.start(who, files?.max);
  const why = await messenger.refused;
  messenger.end();
  const next = await askWho(tokens, why);
  // Another person does not land in the conversation of the one before.
  if (next.userId !== who.userId) location.hash = "";
  who = next;
}

/** What the page has to know of its server. */
async function configuration() {
  const notice = document.querySelector("#unreachable");
  for (;;) {
    try {
      const answer = await fetch("web/config.json");
      const read = await answer.json();
      notice.textContent = "";
      return read;
    } catch {
      notice.textContent = text("unreachable");
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER));
    }
  }
}
