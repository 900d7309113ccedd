/** Whether there is a connection, and what one can do about it. Nothing is shown while there is one. */

import { text } from "./text.js";

const STOPPED = { 4409: "replaced" };

export class ConnectionBar {
  #client;
  #onGone;
  #bar = document.querySelector("#connection");
  #said = document.querySelector("#connection-said");
  /** Apart from what is said: nobody wants every second read out. */
  #left = document.querySelector("#connection-left");
  #button = document.querySelector("#connection-act");
  #ticking;

  /**
   * @param {() => void} onGone what had the focus here is gone
   * @param {AbortSignal} signal ends it
   */
  constructor(client, onGone, signal) {
    this.#client = client;
    this.#onGone = onGone;
    this.#button.addEventListener("click", () => client.start(), { signal });
    client.addEventListener("state", () => this.show(), { signal });
    signal.addEventListener("abort", () => clearInterval(this.#ticking));
  }

  /** Shows how it stands. */
  show() {
    clearInterval(this.#ticking);
    const { state, code } = this.#client.state;
    const isFocused = document.activeElement === this.#button;
    this.#bar.hidden = state === "connected";
    this.#button.hidden = state === "connecting";
    this.#button.textContent = text(state === "stopped" ? "comeBack" : "tryNow");
    this.#left.textContent = "";
    if (isFocused && this.#button.offsetParent === null) this.#onGone();
    if (state === "connecting") this.#say(text("connecting"));
    if (state === "stopped") this.#say(text(STOPPED[code] ?? "stopped"));
    if (state === "waiting") {
      this.#say(text("waiting"));
      this.#countDown();
      this.#ticking = setInterval(() => this.#countDown(), 1000);
    }
  }

  #countDown() {
    const left = Math.ceil((this.#client.state.retryAt - Date.now()) / 1000);
    this.#left.textContent = text("nextAttempt", { seconds: Math.max(left, 0) });
  }

  #say(what) {
    if (this.#said.textContent !== what) this.#said.textContent = what;
  }
}
