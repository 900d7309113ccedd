/** Files in the conversation: a picture, or a card; and what one can do with them. Each view has an `element`. */

import { fileOf, isPicture } from "../files.js";
import { make, save, showPicture, sign } from "./elements.js";
import { percent, size, text, whyNotFetched } from "./text.js";
import { isOwnShown, Thumbnails } from "./thumbnails.js";
import { Viewer } from "./viewer.js";

const PAPER = "M6 3h8l5 5v13H6zM14 3v5h5";
/** Pixels: the longest and the shortest side of a picture's place. */
const LONGEST = 320;
const SHORTEST = 56;

export class FileViews {
  #files;
  #cancel;
  #viewer;
  #thumbnails;

  /**
   * @param {import("../files.js").Files} files
   * @param {(message: object) => void} cancel gives up an upload
   * @param {AbortSignal} signal ends it
   */
  constructor(files, cancel, signal) {
    this.#files = files;
    this.#cancel = cancel;
    this.#viewer = new Viewer(files, signal);
    this.#thumbnails = new Thumbnails(files, signal);
  }

  /** What a message shows that is of a file; nothing for another. */
  of(message) {
    if (message.waiting) return new UploadCard(message, this.#cancel);
    const file = fileOf(message);
    if (!file) return null;
    return isPicture(file) ? new Picture(file, this.#thumbnails, this.#viewer) : new FileCard(file, this.#files);
  }

  /** Shows a file of this device's own from itself. */
  put(id, blob) {
    this.#thumbnails.put(id, blob);
  }

  /** Fetches again what could not be fetched. */
  again() {
    this.#thumbnails.again();
  }
}

/** A picture. Its place is there before it is, so that nothing moves when it comes. */
class Picture {
  #image;
  #why = make("span", { className: "why" });
  #error = null;

  constructor(file, thumbnails, viewer) {
    const { id, name, width, height } = file;
    this.#image = make("img", { alt: name, draggable: false });
    const properties = { className: "picture", ariaHasPopup: "dialog", title: name };
    this.element = make("button", properties, this.#image, this.#why);
    const scale = Math.min(1, LONGEST / width, LONGEST / height);
    const side = (pixels) => Math.max(SHORTEST, Math.round(pixels * scale));
    this.element.style.width = `${side(width)}px`;
    this.element.style.aspectRatio = `${side(width)} / ${side(height)}`;
    this.element.addEventListener("click", () => viewer.open(file));
    thumbnails.watch(this.element, id, (blob) => this.#show(blob), (error) => this.#fail(error));
  }

  redraw() {
    this.#why.textContent = this.#error ? whyNotFetched(this.#error) : "";
  }

  #show(blob) {
    this.#error = null;
    this.redraw();
    showPicture(this.#image, blob);
  }

  #fail(error) {
    this.#error = error;
    this.redraw();
  }
}

/** A file that one can download. */
class FileCard {
  #file;
  #files;
  #size = make("span", { className: "size" });
  #button = make("button", { className: "download" });
  #bar = make("progress", { hidden: true });
  #why = make("p", { className: "why" });
  #error = null;
  /** While it is downloaded. */
  #download = null;

  constructor(file, files) {
    this.#file = file;
    this.#files = files;
    this.element = card(sign(PAPER), file.name, this.#size, this.#button, this.#bar, this.#why);
    this.#bar.max = file.size;
    this.#button.addEventListener("click", () => (this.#download ? this.#download.abort() : this.#fetch()));
  }

  redraw() {
    const { name } = this.#file;
    const isUnderWay = this.#download !== null;
    this.#size.textContent = size(this.#file.size);
    this.#button.textContent = text(isUnderWay ? "cancel" : "download");
    this.#button.ariaLabel = text(isUnderWay ? "cancelDownload" : "downloadOf", { name });
    this.#bar.hidden = !isUnderWay;
    this.#bar.ariaLabel = text("downloading", { name });
    this.#why.textContent = this.#error ? whyNotFetched(this.#error) : "";
  }

  async #fetch() {
    const { id, name } = this.#file;
    this.#download = new AbortController();
    const { signal } = this.#download;
    this.#error = null;
    // It is there before something is said in it, which is read out then.
    this.#why.role = "status";
    this.#bar.value = 0;
    this.redraw();
    try {
      save(await this.#files.read(id, { signal, onProgress: (loaded) => (this.#bar.value = loaded) }), name);
    } catch (error) {
      if (!signal.aborted) this.#error = error;
    }
    this.#download = null;
    this.redraw();
  }
}

/** A file that is to be uploaded. */
class UploadCard {
  #message;
  #size = make("span", { className: "size" });
  #bar = make("progress", { max: 1 });
  #button = make("button", { className: "cancel" });
  /** How much of it is there, once it is known. */
  #part;

  constructor(message, cancel) {
    this.#message = message;
    const { name, blob } = message.waiting;
    this.element = card(ownPreview(blob), name, this.#size, this.#button, this.#bar);
    this.element.classList.add("waiting");
    this.#button.addEventListener("click", () => cancel(message));
  }

  progress(part) {
    this.#part = part || undefined;
    this.redraw();
  }

  redraw() {
    const { waiting, error } = this.#message;
    if (!waiting) return;
    const { name, size: bytes } = waiting;
    if (error) this.#part = undefined;
    if (this.#part === undefined) this.#bar.removeAttribute("value");
    else this.#bar.value = this.#part;
    const state = this.#part === undefined ? text("waits") : percent(this.#part);
    this.#size.textContent = error ? size(bytes) : `${size(bytes)} · ${state}`;
    this.#bar.hidden = Boolean(error);
    this.#bar.ariaLabel = text("upload", { name });
    this.#button.hidden = Boolean(error);
    this.#button.textContent = text("cancel");
    this.#button.ariaLabel = text("cancelUpload", { name });
  }
}

function ownPreview(blob) {
  if (!blob || !isOwnShown(blob)) return sign(PAPER);
  const image = make("img", { className: "preview", alt: "" });
  image.addEventListener("error", () => image.replaceWith(sign(PAPER)), { once: true });
  showPicture(image, blob);
  return image;
}

function card(picture, name, size, ...more) {
  const what = make("p", { className: "what" }, make("bdi", { className: "file-name", textContent: name }), size);
  return make("div", { className: "file" }, picture, what, ...more);
}
