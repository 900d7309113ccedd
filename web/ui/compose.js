/** What one writes: one text for each conversation, until it is sent. */

import { NoIdLeft, Unsendable } from "../yanshu.js";
import { isTouched } from "./elements.js";
import { tab } from "./kept.js";
import { text } from "./text.js";

export class Composer {
  #me;
  #send;
  #peer = null;
  #form = document.querySelector("#compose");
  #field = document.querySelector("#text");
  #button = document.querySelector("#compose button");
  #error = document.querySelector("#compose-error");

  /**
   * @param {string} me whose texts they are
   * @param {(peer: string, content: string) => Promise<void>} send
   * @param {AbortSignal} signal ends it
   */
  constructor(me, send, signal) {
    this.#me = me;
    this.#send = send;
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    listen(this.#form, "submit", (event) => this.#submit(event));
    listen(this.#field, "input", () => this.#changed());
    listen(this.#field, "keydown", (event) => this.#key(event));
    // What is clicked takes the focus, and the keyboard of a phone would go.
    listen(this.#button, "mousedown", (event) => event.preventDefault());
    this.#field.enterKeyHint = isTouched() ? "enter" : "send";
  }

  /** Turns to a conversation. */
  turnTo(peer) {
    this.#peer = peer;
    this.#put(peer === null ? "" : (tab.get(this.#draft(peer)) ?? ""));
  }

  focus() {
    this.#field.focus();
  }

  /** Says what is wrong with something other than the text. */
  warn(what) {
    this.#error.textContent = what;
  }

  /** Says why something was not sent. */
  explain(error) {
    if (error instanceof NoIdLeft) this.#say(text("noIdLeft"));
    else if (error instanceof Unsendable) this.#say(text("tooLong"));
    else this.#say(text("notKept", { why: error.message }));
  }

  /** Where an unsent text is kept, for as long as the tab. */
  #draft(peer) {
    return `yanshu draft ${this.#me} ${peer}`;
  }

  #put(content) {
    this.#field.value = content;
    this.#changed();
  }

  #changed() {
    this.#say("");
    if (this.#peer !== null) this.#keep(this.#peer, this.#field.value);
    // As high as its lines, up to what the style allows.
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #keep(peer, content) {
    if (content === "") tab.remove(this.#draft(peer));
    else tab.set(this.#draft(peer), content);
  }

  #key(event) {
    // The keyboard of a phone has no other way to begin a line.
    if (event.key === "Enter" && !event.shiftKey && !isTouched() && !isOfInputMethod(event)) {
      event.preventDefault();
      this.#form.requestSubmit();
    }
  }

  async #submit(event) {
    event.preventDefault();
    const content = this.#field.value;
    const peer = this.#peer;
    if (content.trim() === "") return;
    // At once, so that a second Enter does not send it again; it is kept until it is in the outbox.
    this.#put("");
    this.#keep(peer, content);
    try {
      await this.#send(peer, content);
      if (tab.get(this.#draft(peer)) === content) this.#keep(peer, "");
    } catch (error) {
      this.#giveBack(peer, content);
      this.explain(error);
    }
  }

  /** What was not sent is there to be sent again. */
  #giveBack(peer, content) {
    const since = peer === this.#peer ? this.#field.value : tab.get(this.#draft(peer));
    const whole = [content, since === content ? "" : since].filter(Boolean).join("\n");
    this.#keep(peer, whole);
    if (peer === this.#peer) this.#put(whole);
  }

  #say(error) {
    this.#error.textContent = error;
    this.#field.ariaInvalid = String(error !== "");
  }
}

/** While a Chinese word is being put together, keys belong to the input method; Safari says so by 229 alone. */
export function isOfInputMethod({ isComposing, keyCode }) {
  return isComposing || keyCode === 229;
}
