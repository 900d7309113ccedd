/** What a browser keeps for a page: for as long as the tab, or for good. Where it keeps nothing, this does, for as long as the page. */

class Kept {
  #area;
  #instead = new Map();

  constructor(area) {
    try {
      this.#area = area();
    } catch {
      // Some browsers forbid even to look.
    }
  }

  get(name) {
    return this.#instead.get(name) ?? this.#area?.getItem(name) ?? null;
  }

  set(name, value) {
    try {
      this.#area.setItem(name, value);
      this.#instead.delete(name);
    } catch {
      this.#instead.set(name, value);
    }
  }

  remove(name) {
    this.#instead.delete(name);
    this.#area?.removeItem(name);
  }

  clear() {
    this.#instead.clear();
    this.#area?.clear();
  }
}

export const tab = new Kept(() => sessionStorage);
export const browser = new Kept(() => localStorage);
