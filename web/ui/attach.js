/** How files come into a conversation: chosen, pasted, or dropped onto it. */

import { size, text } from "./text.js";

export class Attacher {
  #most;
  #on;
  #peer = null;
  #conversation = document.querySelector("#conversation");
  #button = document.querySelector("#attach");
  #field = document.querySelector("#attach-files");
  #hint = document.querySelector("#drop-hint");

  /**
   * @param {number | undefined} most bytes that a file may have; where the server takes none, nothing happens
   * @param {object} on `add(peer, file)` takes one; `done(what)` when all are taken, with what is to be said of those
   *   that were not
   * @param {AbortSignal} signal ends it
   */
  constructor(most, on, signal) {
    this.#most = most;
    this.#on = on;
    this.#button.hidden = most === undefined;
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    listen(this.#button, "click", () => this.#field.click());
    listen(this.#field, "change", () => this.#chosen());
    listen(document, "paste", (event) => this.#paste(event));
    listen(document, "dragover", (event) => this.#dragged(event));
    listen(document, "drop", (event) => this.#dropped(event));
    listen(document, "dragleave", ({ relatedTarget }) => relatedTarget === null && this.#hideHint());
    listen(document, "dragend", () => this.#hideHint());
  }

  /** Turns to a conversation. */
  turnTo(peer) {
    this.#peer = peer;
    this.#hideHint();
  }

  #takes() {
    return this.#most !== undefined && this.#peer !== null;
  }

  #chosen() {
    const files = [...this.#field.files];
    // Else the same could not be chosen again.
    this.#field.value = "";
    this.#add(files);
  }

  #paste(event) {
    const { files } = event.clipboardData;
    const isElsewhere = event.target.closest?.("input, dialog");
    if (files.length === 0 || isElsewhere || !this.#takes() || isText(event.clipboardData)) return;
    event.preventDefault();
    this.#add([...files]);
  }

  #dragged(event) {
    if (!hasFiles(event)) return;
    // Else the browser would leave the page and open the file.
    event.preventDefault();
    const isTaken = this.#takes() && this.#conversation.contains(event.target);
    event.dataTransfer.dropEffect = isTaken ? "copy" : "none";
    this.#hint.hidden = !isTaken;
    if (isTaken) this.#hint.textContent = text("drop", { name: document.querySelector("#peer").textContent });
  }

  #dropped(event) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const isTaken = this.#takes() && this.#conversation.contains(event.target);
    this.#hideHint();
    if (isTaken) this.#add([...event.dataTransfer.files]);
  }

  #hideHint() {
    this.#hint.hidden = true;
  }

  async #add(files) {
    const peer = this.#peer;
    const notTaken = [];
    for (const file of files) {
      const why = await this.#take(peer, file);
      if (why) notTaken.push(why);
    }
    this.#on.done(notTaken.join("\n"));
  }

  /** @returns why it was not taken */
  async #take(peer, file) {
    const { name } = file;
    if (file.size > this.#most) return text("fileTooLarge", { name, most: size(this.#most) });
    try {
      await this.#on.add(peer, file);
      return null;
    } catch (error) {
      if (error.name === "Unreadable") return text("fileUnreadable", { name });
      return text("notKept", { why: error.message });
    }
  }
}

function hasFiles({ dataTransfer }) {
  return dataTransfer?.types.includes("Files");
}

/** Office programs add a picture of the text that one copies; file managers, the names of the files. */
function isText(clipboard) {
  const content = clipboard.getData("text/plain").trim();
  return content !== "" && ![...clipboard.files].some(({ name }) => content.includes(name));
}
