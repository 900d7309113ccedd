/** A picture, as large as there is room. */

import { PICTURES } from "../files.js";
import { make, save, showPicture } from "./elements.js";
import { percent, text, whyNotFetched } from "./text.js";

const element = (id) => document.querySelector(`#${id}`);

export class Viewer {
  #files;
  #dialog = element("viewer");
  #said = element("viewer-said");
  #stage = element("viewer-stage");
  #save = element("viewer-save");
  #file;
  #blob;
  #shown = new AbortController();

  /** @param {AbortSignal} signal ends it */
  constructor(files, signal) {
    this.#files = files;
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    listen(this.#dialog, "close", () => this.#close());
    // Beside the picture.
    listen(this.#stage, "click", ({ target }) => target === this.#stage && this.#dialog.close());
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
    this.#said.textContent = text("loading");
    this.#dialog.showModal();
    const onProgress = (loaded) => {
      this.#said.textContent = `${text("loading")} ${percent(Math.min(loaded / file.size, 1))}`;
    };
    try {
      const blob = await this.#files.read(file.id, { signal, onProgress });
      if (signal.aborted) return;
      this.#blob = blob;
      this.#save.disabled = false;
      await this.#draw(blob);
      if (!signal.aborted) this.#said.textContent = "";
    } catch (error) {
      if (!signal.aborted) this.#said.textContent = error.name === "EncodingError" ? text("notShown") : whyNotFetched(error);
    }
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
