/** A picture, as large as there is room. */

import { PICTURES } from "../files.js";
import { make, save, showPicture } from "./elements.js";
import { text, whyNotFetched } from "./text.js";

const element = (id) => document.querySelector(`#${id}`);

export class Viewer {
  #files;
  #dialog = element("viewer");
  #said = element("viewer-said");
  #stage = element("viewer-stage");
  #save = element("viewer-save");
  /** Apart from what is said: nobody wants every part of it read out. */
  #bar = element("viewer-bar");
  #file;
  #blob;
  #shown = new AbortController();

  /** @param {AbortSignal} signal ends it */
  constructor(files, signal) {
    this.#files = files;
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    listen(this.#dialog, "close", () => this.#close());
    // Beside the picture. The second half of a double click is meant for what the first one hit.
    const isBeside = ({ target, detail }) => target === this.#stage && detail < 2;
    listen(this.#stage, "click", (event) => isBeside(event) && this.#dialog.close());
    listen(element("viewer-close"), "click", () => this.#dialog.close());
    listen(this.#save, "click", () => save(this.#blob, this.#file.name));
    listen(window, "hashchange", () => this.#dialog.close());
    signal.addEventListener("abort", () => this.#dialog.close());
  }

  /** Shows a file that is a picture. */
  async open(file) {
    this.#file = file;
    this.#shown = new AbortController();
    const { signal } = this.#shown;
    element("viewer-name").textContent = file.name;
    this.#save.disabled = true;
    this.#bar.value = 0;
    this.#bar.hidden = false;
    this.#dialog.showModal();
    this.#said.textContent = text("loading");
    // How large it is, the message says, and that may be wrong.
    const onProgress = (loaded) => (this.#bar.value = Math.min(loaded / Math.max(file.size, 1), 1));
    try {
      const blob = await this.#files.read(file.id, { signal, onProgress });
      if (signal.aborted) return;
      this.#blob = blob;
      this.#save.disabled = false;
      await this.#draw(blob);
      this.#say(signal, "");
    } catch (error) {
      this.#say(signal, error.name === "EncodingError" ? text("notShown") : whyNotFetched(error));
    }
  }

  /** How it ended, unless that is for nobody any more. */
  #say(signal, what) {
    if (signal.aborted) return;
    this.#bar.hidden = true;
    this.#said.textContent = what;
  }

  async #draw(blob) {
    const image = make("img", { alt: this.#file.name });
    this.#stage.replaceChildren(image);
    const fail = () => {
      image.remove();
      throw new DOMException("no picture", "EncodingError");
    };
    if (!PICTURES.includes(blob.type)) fail();
    showPicture(image, blob);
    await image.decode().catch(fail);
  }

  #close() {
    this.#shown.abort();
    this.#blob = undefined;
    this.#stage.replaceChildren();
  }
}
