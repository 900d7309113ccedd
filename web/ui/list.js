/** The list of conversations: name, newest message, how many were not seen. */

import { isTouched } from "./elements.js";
import { summary } from "./summary.js";
import { text, when } from "./text.js";

export class ConversationList {
  #me;
  #conversations;
  #on;
  #rows = new Map();
  #wanted = "";
  #isOpen = null;
  #title = document.querySelector("#who");
  #list = document.querySelector("#list");
  #find = document.querySelector("#find");
  #field = document.querySelector("#find-text");
  #start = document.querySelector("#find-start");
  #inView;

  /**
   * @param {object} on `open(peer)`; `look(conversation)` when one comes into view
   * @param {AbortSignal} signal ends it
   */
  constructor(me, conversations, on, signal) {
    this.#me = me;
    this.#conversations = conversations;
    this.#on = on;
    this.#inView = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) on.look(conversations.with(target.dataset.peer));
      }
    });
    this.#list.replaceChildren();
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    listen(this.#field, "input", () => this.#search());
    listen(this.#find, "submit", (event) => this.#open(event));
    listen(this.#list, "keydown", (event) => this.#move(event));
    listen(signal, "abort", () => this.#inView.disconnect());
  }

  /** Shows what has changed. `open` is whose conversation is open. */
  render(open = this.#isOpen) {
    this.#isOpen = open;
    const rows = new Map();
    const shown = this.#conversations.sorted().filter((conversation) => this.#isFound(conversation));
    for (const conversation of shown) {
      const { peer } = conversation;
      rows.set(peer, this.#rows.get(peer) ?? this.#newRow(peer));
      rows.get(peer).update(conversation, peer === open, this.#nameOf(conversation));
    }
    for (const [peer, row] of this.#rows) {
      if (!rows.has(peer)) this.#inView.unobserve(row.element);
    }
    this.#rows = rows;
    const elements = [...rows.values()].map(({ element }) => element);
    elements.forEach((element, index) => {
      const at = this.#list.children[index];
      if (at !== element) keepingFocus(() => this.#list.insertBefore(element, at ?? null));
    });
    while (this.#list.children.length > elements.length) this.#list.lastElementChild.remove();
  }

  /** Looks again at those in view: what is known of them may have become uncertain. */
  lookAgain() {
    for (const { element } of this.#rows.values()) {
      this.#inView.unobserve(element);
      this.#inView.observe(element);
    }
  }

  /** The row of a conversation takes the focus; without one, the field to search in, or the title. */
  focus(peer) {
    const row = this.#rows.get(peer)?.button;
    (row ?? (isTouched() ? this.#title : this.#field)).focus();
  }

  #nameOf({ peer, name }) {
    return peer === this.#me ? text("yourself", { name }) : name;
  }

  #newRow(peer) {
    const row = new Row(peer, () => this.#on.open(peer));
    this.#inView.observe(row.element);
    return row;
  }

  #isFound({ peer, name }) {
    const wanted = this.#wanted.toLowerCase();
    return name.toLowerCase().includes(wanted) || peer.toLowerCase().includes(wanted);
  }

  #search() {
    this.#wanted = this.#field.value.trim();
    const isId = this.#field.value !== "" && /^[A-Za-z0-9_.@-]{1,64}$/.test(this.#wanted);
    this.#start.hidden = !isId;
    this.#start.textContent = text("start", { id: this.#wanted });
    this.render();
  }

  #open(event) {
    event.preventDefault();
    // By the button, or where there is no other: whom that ID belongs to. Else who is found.
    const [found] = this.#rows.keys();
    const isMeant = event.submitter === this.#start || this.#rows.size === 0 || this.#rows.has(this.#wanted);
    const peer = isMeant && !this.#start.hidden ? this.#wanted : found;
    if (this.#wanted === "" || peer === undefined) return;
    this.#field.value = "";
    this.#search();
    this.#on.open(peer);
  }

  /** The arrows go through the list. */
  #move(event) {
    const row = event.target.closest("li");
    const to = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
    if (!to) return;
    event.preventDefault();
    to.querySelector("button").focus();
  }
}

class Row {
  #parts = {};

  constructor(peer, open) {
    this.element = document.createElement("li");
    this.element.dataset.peer = peer;
    this.button = document.createElement("button");
    this.button.className = "row";
    this.button.addEventListener("click", open);
    for (const name of ["face", "name", "time", "last", "unread"]) {
      this.#parts[name] = document.createElement("span");
      this.#parts[name].className = name;
    }
    this.#parts.face.ariaHidden = "true";
    this.#parts.face.style.setProperty("--hue", hue(peer));
    this.#parts.unread.role = "img";
    for (const name of ["name", "last"]) this.#parts[name].dir = "auto";
    this.button.append(...Object.values(this.#parts));
    this.element.append(this.button);
  }

  update({ last, unread, peer }, isOpen, name) {
    const set = (part, value) => {
      if (this.#parts[part].textContent !== value) this.#parts[part].textContent = value;
    };
    set("face", [...name][0] ?? "");
    set("name", name);
    set("time", last ? when(last.time) : "");
    const isMine = last && last.fromId !== peer;
    set("last", last ? `${isMine ? `${text("you")}: ` : ""}${summary(last)}` : "");
    set("unread", unread.size > 0 ? String(Math.min(unread.size, 999)) : "");
    this.#parts.unread.hidden = unread.size === 0;
    this.#parts.unread.ariaLabel = text("unread", { count: unread.size });
    if (isOpen) this.button.ariaCurrent = "true";
    else this.button.removeAttribute("aria-current");
  }
}

/** An element that is moved loses the focus, but for this. */
function keepingFocus(move) {
  const focused = document.activeElement;
  move();
  if (focused !== document.activeElement) focused.focus({ preventScroll: true });
}

/** A colour for a name, the same everywhere. */
function hue(id) {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0) * 47) % 360;
  return sum;
}
