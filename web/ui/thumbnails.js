/** What is shown of pictures in the conversation: fetched when it comes near, a few at a time, and kept for a while. */

import { PICTURES } from "../files.js";

/** Pixels from the view within which a picture is fetched. */
const NEAR = 400;
const AT_A_TIME = 4;
const KEPT = 100;
/** A picture of this device's own is shown from itself up to so many bytes; a larger one takes long to draw. */
const OWN_MOST = 8 * 1024 * 1024;

export class Thumbnails {
  #files;
  /** By the file's ID, the one used last at the end. */
  #kept = new Map();
  /** What is to be shown, by the element that it is shown in. */
  #wanted = new WeakMap();
  #near = new Set();
  #failed = new Set();
  #loading = 0;
  #observer;

  /** @param {AbortSignal} signal ends it */
  constructor(files, signal) {
    this.#files = files;
    const root = document.querySelector("#scroll");
    this.#observer = new IntersectionObserver((entries) => this.#moved(entries), { root, rootMargin: `${NEAR}px 0px` });
    signal.addEventListener("abort", () => this.#observer.disconnect());
  }

  /** Keeps a picture of this device's own for when its message is shown. */
  put(id, blob) {
    if (isOwnShown(blob)) this.#keep(id, blob);
  }

  /** Shows a file's thumbnail in an element, once that is near: `show(blob)`, or `fail(error)`. */
  watch(element, id, show, fail) {
    const kept = this.#kept.get(id);
    if (kept) return show(kept);
    this.#wanted.set(element, { id, show, fail });
    this.#observer.observe(element);
  }

  /** Fetches again what could not be fetched, after there was no connection. */
  again() {
    for (const element of this.#failed) {
      this.#observer.unobserve(element);
      this.#observer.observe(element);
    }
    this.#failed.clear();
  }

  #moved(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#near.add(target);
      else this.#near.delete(target);
    }
    this.#loadNext();
  }

  #loadNext() {
    for (const element of this.#near) {
      if (this.#loading >= AT_A_TIME) return;
      this.#near.delete(element);
      this.#load(element);
    }
  }

  async #load(element) {
    const { id, show, fail } = this.#wanted.get(element);
    this.#loading += 1;
    try {
      const blob = this.#kept.get(id) ?? (await this.#files.read(id, { thumbnail: true }));
      if (!PICTURES.includes(blob.type)) throw new TypeError("no picture");
      this.#keep(id, blob);
      this.#observer.unobserve(element);
      show(blob);
    } catch (error) {
      if (error.status !== 404) this.#failed.add(element);
      fail(error);
    } finally {
      this.#loading -= 1;
      this.#loadNext();
    }
  }

  #keep(id, blob) {
    this.#kept.delete(id);
    this.#kept.set(id, blob);
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
  }
}

/** Whether a file of this device's own is a picture that is shown as it is. */
export function isOwnShown({ type, size }) {
  return PICTURES.includes(type) && size <= OWN_MOST;
}
