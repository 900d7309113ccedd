/** The messages of one conversation: bubbles in their order, and where one has scrolled to. */

import { READ, SENDING, STORED } from "../yanshu.js";
import { isLooking } from "./notices.js";
import { clock, day, moment, text, whyRefused } from "./text.js";

/** Pixels from the end within which one is at the end, and from the beginning within which older ones are read. */
const AT_END = 48;
const NEAR = 600;
const TICKS = { [SENDING]: ["◷", "sending"], [STORED]: ["✓", "stored"], [READ]: ["✓✓", "read"] };
/** ASCII only: text without spaces may follow an address directly, as in Chinese. */
const LINK = /https?:\/\/[\x21-\x7e]+/g;
/** Looked for from its beginning only: else very many of them would take very long. */
const NOT_AT_ITS_END = /(?<![.,:;!?'")\]}>])[.,:;!?'")\]}>]+$/;

export class MessageView {
  #me;
  #on;
  #conversation = null;
  /** Rows by key: that of a message is its ID. */
  #rows = new Map();
  #scroll = document.querySelector("#scroll");
  #list = document.querySelector("#messages");
  #older = document.querySelector("#older");
  #beginning = document.querySelector("#beginning");
  #newest = document.querySelector("#newest");
  /** Whose older messages are being read. */
  #reading = null;
  #isAtEnd = true;

  /**
   * @param {string} me whose messages are on the right
   * @param {object} on `older()` reads earlier messages, and says whether that could be done; `seen()` when the newest
   *   message can be seen; `retry(message)`, `discard(message)` for what was refused; `file(message)` is what a message
   *   shows that is of a file
   * @param {AbortSignal} signal ends it
   */
  constructor(me, on, signal) {
    this.#me = me;
    this.#on = on;
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    listen(this.#scroll, "scroll", () => this.#scrolled());
    listen(window, "focus", () => this.look());
    listen(document, "visibilitychange", () => this.look());
    listen(this.#older, "click", () => this.#readOlder());
    listen(this.#newest, "click", () => {
      this.#scroll.focus();
      this.#toEnd();
    });
    const root = this.#scroll;
    const near = (entries) => entries.at(-1).isIntersecting && this.#readOlder();
    const isNear = new IntersectionObserver(near, { root, rootMargin: `${NEAR}px 0px` });
    isNear.observe(this.#older);
    // What was at the end stays there when the keyboard of a phone comes up, or a line is added to what one writes.
    const sized = new ResizeObserver(() => this.#isAtEnd && this.#toEnd());
    sized.observe(this.#scroll);
    listen(signal, "abort", () => [isNear, sized].forEach((observer) => observer.disconnect()));
  }

  /** Shows a conversation from its end. */
  show(conversation) {
    this.#conversation = conversation;
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#isAtEnd = true;
    this.render();
  }

  /** Shows what has changed. What one looks at stays where it is. */
  render() {
    const conversation = this.#conversation;
    if (!conversation) return;
    const anchor = this.#isAtEnd ? null : this.#anchor();
    this.#place(this.#wanted(conversation.messages));
    const { isHeld, hasBeginning, messages } = conversation;
    if (hasBeginning && document.activeElement === this.#older) this.#scroll.focus();
    this.#older.hidden = hasBeginning || messages.length === 0 || !(isHeld || !this.#older.hidden);
    this.#beginning.hidden = !isHeld || !hasBeginning;
    if (!anchor) this.#toEnd();
    else if (anchor.row.isConnected) this.#scroll.scrollTop += anchor.row.offsetTop - anchor.top;
    this.look();
  }

  /** The rows there are to be, in their order, each message under the day it is of. */
  #wanted(messages) {
    const rows = new Map();
    let before;
    for (const message of messages) {
      const of = moment(message.time).toDateString();
      if (of !== before) {
        // What is today depends on when one looks.
        const key = `${document.documentElement.lang} ${new Date().toDateString()} ${of} ${message.id}`;
        rows.set(key, this.#rows.get(key) ?? dayRow(message.time));
        before = of;
      }
      const known = this.#rows.get(message.id);
      rows.set(message.id, known ?? new Row(message, message.fromId === this.#me, this.#on));
      rows.get(message.id).update(this.#conversation.name);
    }
    this.#rows = rows;
    return [...rows.values()].map((row) => row.element);
  }

  #place(elements) {
    let at = this.#list.firstElementChild;
    for (const element of elements) {
      if (element === at) at = at.nextElementSibling;
      else this.#list.insertBefore(element, at);
    }
    while (at) {
      const next = at.nextElementSibling;
      // What one was at is something else now.
      if (at.contains(document.activeElement)) this.#scroll.focus({ preventScroll: true });
      at.remove();
      at = next;
    }
  }

  /** This person has added something to a conversation, and wants to see it. */
  added(peer) {
    if (peer === this.#conversation?.peer) this.#toEnd();
  }

  /** Shows how much of an upload is done. */
  progress(key, part) {
    this.#rows.get(key)?.progress(part);
  }

  /** A message that can be seen, and where. */
  #anchor() {
    const top = this.#scroll.scrollTop;
    const rows = [...this.#list.querySelectorAll(".message")];
    const row = rows.find((row) => row.offsetTop + row.offsetHeight > top);
    return row && { row, top: row.offsetTop };
  }

  async #readOlder() {
    const conversation = this.#conversation;
    if (this.#reading === conversation || this.#older.hidden || !conversation.isHeld) return;
    this.#reading = conversation;
    let isRead = false;
    try {
      isRead = await this.#on.older();
    } finally {
      if (this.#reading === conversation) this.#reading = null;
    }
    if (this.#conversation !== conversation) return;
    this.render();
    // Near the beginning still: what was read was short.
    if (isRead && this.#scroll.scrollTop < NEAR) this.#readOlder();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < AT_END;
    this.look();
  }

  #toEnd() {
    this.#isAtEnd = true;
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.look();
  }

  /** Looks whether a person sees the newest message. */
  look() {
    this.#newest.hidden = this.#isAtEnd;
    if (this.#conversation && this.#isAtEnd && isLooking()) this.#on.seen();
  }
}

/** A message. */
class Row {
  #message;
  #on;
  #shown;
  /** Who wrote it, for those who do not see the side it is on. */
  #by = document.createElement("span");
  #foot = document.createElement("p");
  /** What it shows in place of a text, where it is of a file. */
  #file;

  constructor(message, isMine, on) {
    this.isMine = isMine;
    this.#message = message;
    this.#on = on;
    this.element = document.createElement("li");
    this.element.className = isMine ? "message mine" : "message theirs";
    this.element.dataset.id = message.id;
    this.#file = on.file(message);
    this.#by.className = "unseen";
    this.#foot.className = "foot";
    this.element.append(this.#by, this.#file?.element ?? written(message.message), this.#foot);
  }

  progress(part) {
    this.#file.progress(part);
  }

  /** Shows how far the message has come. */
  update(peerName) {
    const { status, error, id } = this.#message;
    const now = `${status} ${error?.code ?? ""} ${document.documentElement.lang} ${peerName}`;
    this.element.dataset.id = id;
    if (now === this.#shown) return;
    this.#shown = now;
    this.#by.textContent = `${this.isMine ? text("you") : peerName}: `;
    const time = document.createElement("time");
    time.dateTime = moment(this.#message.time).toISOString();
    time.textContent = clock(this.#message.time);
    this.#foot.replaceChildren(time, ...(this.isMine ? this.#progress(status, error) : []));
    this.element.classList.toggle("failed", Boolean(error));
    this.#file?.redraw();
  }

  #progress(status, error) {
    if (error) return this.#failure();
    const [sign, name] = TICKS[status];
    const tick = document.createElement("span");
    tick.className = `tick ${name}`;
    tick.role = "img";
    tick.ariaLabel = text(name);
    tick.title = text(name);
    tick.textContent = sign;
    return [" ", tick];
  }

  #failure() {
    const why = document.createElement("span");
    why.className = "why";
    why.textContent = `${text("failed")}: ${whyRefused(this.#message)}`;
    const button = (name, act) => {
      const button = document.createElement("button");
      button.textContent = text(name);
      button.addEventListener("click", () => act(this.#message));
      return button;
    };
    return [" ", why, button("retry", this.#on.retry), button("discard", this.#on.discard)];
  }
}

function dayRow(time) {
  const element = document.createElement("li");
  element.className = "day";
  element.textContent = day(time);
  return { element };
}

function written(message) {
  const content = document.createElement("p");
  content.className = "content";
  content.dir = "auto";
  content.append(...withLinks(message));
  return content;
}

/** Text, with the addresses in it as links. */
function withLinks(content) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of content.matchAll(LINK)) {
    const address = found.replace(NOT_AT_ITS_END, "");
    if (!URL.canParse(address)) continue;
    const link = document.createElement("a");
    link.href = address;
    link.textContent = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    parts.push(content.slice(end, index), link);
    end = index + address.length;
  }
  return [...parts, content.slice(end)];
}
