/** One person's messenger: the client, what it holds, and the views of it. */

import { Conversations } from "../conversations.js";
import { Files } from "../files.js";
import { openStorage } from "../storage.js";
import { Uploads } from "../uploads.js";
import { Client, STORED } from "../yanshu.js";
import { Attacher } from "./attach.js";
import { Composer, isOfInputMethod } from "./compose.js";
import { ConnectionBar } from "./connection.js";
import { isTouched } from "./elements.js";
import { FileViews } from "./files.js";
import { ConversationList } from "./list.js";
import { MessageView } from "./messages.js";
import { notify, showUnread } from "./notices.js";
import { summary } from "./summary.js";
import { text } from "./text.js";

/**
 * After a connect unread messages come out of the past, in their order; behind the newest of them all is new. Where
 * none is known of, or it does not come, that is taken for granted after so long.
 */
const NEW_AFTER = 2000;
const NEW_AT_LAST = 15e3;
/** A message is told of when it is still unread after so long: somebody may see it in another tab. */
const NOTIFY_AFTER = 1000;
const TOKEN_REFUSED = 4401;
/** Messages that are read out; older ones go. */
const READ_OUT = 5;

const element = (id) => document.querySelector(`#${id}`);

export class Messenger {
  #client;
  #uploads;
  #conversations;
  #list;
  #view;
  #files;
  #composer;
  #attacher;
  #bar;
  #open = null;
  /** Whether what comes is new. */
  #isLive = false;
  #settling;
  /** The newest unread message there was after the connect, and what has come since. */
  #awaited;
  #came = new Set();
  /** IDs of what was unread before this connection; none are needed on the first one of a page, which calls nobody. */
  #unreadBefore = null;
  /** What came while there was no connection. */
  #missed = [];
  #isDrawing = false;
  #isCatchingUp = false;
  #learning = new Set();
  #ended = new AbortController();
  /** Ready when the server does not believe that this is who it says; with the reason. */
  refused;

  /**
   * @param {{ userId: string, token?: string }} who is signed in
   * @param {number | undefined} most bytes of a file, where the server takes files
   */
  static async start(who, most) {
    const url = new URL("ws", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    // One origin may have several servers, under several paths.
    const name = `${url.pathname} ${who.userId}`;
    const storage = await openStorage(name);
    const client = new Client({ url, ...who, storage, name });
    const files = new Files({ url: new URL(".", document.baseURI), ...who });
    return new Messenger(client, files, new Uploads(client, files, storage, name), most);
  }

  constructor(client, files, uploads, most) {
    const { signal } = this.#ended;
    const me = client.userId;
    this.#client = client;
    this.#uploads = uploads;
    this.#conversations = new Conversations(me);
    this.#bar = new ConnectionBar(client, () => this.#focus(), signal);
    this.#composer = new Composer(me, (peer, content) => this.#send(peer, content), signal);
    this.#list = new ConversationList(
      me,
      this.#conversations,
      { open: (peer) => this.#goTo(peer), look: (conversation) => this.#learnLast(conversation) },
      signal,
    );
    this.#files = new FileViews(files, (message) => this.#discard(message), signal);
    const add = (peer, file) => this.#attach(peer, file);
    this.#attacher = new Attacher(most, { add, done: (why) => this.#attached(why) }, signal);
    this.#view = new MessageView(
      me,
      {
        file: (message) => this.#files.of(message),
        older: () => this.#readOlder(),
        seen: () => this.#report(),
        retry: (message) => this.#retry(message),
        discard: (message) => this.#discard(message),
      },
      signal,
    );
    this.#listen(signal);
    this.refused = new Promise((resolve) => {
      client.addEventListener("state", ({ detail: { code, error } }) => {
        if (code === TOKEN_REFUSED || error) resolve(error?.message ?? text("tokenRefused"));
      });
    });
    element("who").textContent = me;
    element("messenger").hidden = false;
    this.#follow();
    if (!this.#open) this.#focus();
    client.start();
  }

  /** Ends it all. */
  end() {
    this.#ended.abort();
    this.#uploads.stop();
    this.#client.stop();
    clearTimeout(this.#settling);
    element("settings").close();
    element("messenger").hidden = true;
    element("log").replaceChildren();
    showUnread(0);
  }

  /** Shows everything anew, as after a change of language. */
  redraw() {
    this.#bar.show();
    this.#draw();
  }

  #listen(signal) {
    const client = this.#client;
    const conversations = this.#conversations;
    const listen = (target, name, act) => target.addEventListener(name, act, { signal });
    const toldBy = (teller) => (name, act) =>
      listen(teller, name, ({ detail }) => {
        act(detail);
        this.#draw();
      });
    const told = toldBy(client);
    told("state", ({ state }) => state === "connected" && this.#connected());
    told("message", (message) => this.#delivered(message));
    told("written", (message) => conversations.write(message));
    told("status", (status) => conversations.raise(status));
    told("reissued", ({ toId, id, newId }) => conversations.with(toId).reissue(id, newId));
    told("refused", ({ toId, id, error }) => conversations.with(toId).refuse(id, error));
    told("gone", ({ id }) => conversations.discard(id));
    const toldOfUpload = toldBy(this.#uploads);
    toldOfUpload("waiting", (upload) => conversations.upload(upload));
    toldOfUpload("refused", ({ toId, key, error }) => conversations.with(toId).refuse(key, error));
    toldOfUpload("again", ({ id, upload }) => conversations.upload(upload, id));
    toldOfUpload("gone", ({ key }) => conversations.discard(key));
    listen(this.#uploads, "uploaded", ({ detail: { file, blob } }) => this.#files.put(file.id, blob));
    // It comes very often: nothing else is drawn for it.
    listen(this.#uploads, "progress", ({ detail: { key, loaded, total } }) => this.#view.progress(key, loaded / total));
    listen(window, "online", () => client.hurry());
    listen(document, "visibilitychange", () => document.visibilityState === "visible" && client.check());
    listen(window, "hashchange", () => this.#follow());
    listen(element("back"), "click", () => this.#goTo(null));
    listen(element("conversation"), "keydown", (event) => {
      if (event.key === "Escape" && !isOfInputMethod(event)) this.#goTo(null);
    });
  }

  // What comes.

  #connected() {
    for (const { unread } of this.#conversations) for (const id of unread) this.#unreadBefore?.add(id);
    this.#conversations.letGo();
    this.#isLive = false;
    this.#awaited = undefined;
    this.#came.clear();
    clearTimeout(this.#settling);
    this.#catchUp();
    this.#fill();
    this.#files.again();
  }

  /** Learns what happened meanwhile. One that is under way is answered on the new connection, too. */
  async #catchUp() {
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    await this.#quietly(async () => {
      this.#conversations.setContacts(await this.#client.contacts());
      const newest = await this.#learnNewest();
      const isUnread = ({ toId, status }) => toId === this.#client.userId && status === STORED;
      this.#awaited = newest.findLast(isUnread)?.id;
    });
    this.#isCatchingUp = false;
    if (this.#came.has(this.#awaited)) return this.#settle();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#settle(), this.#awaited ? NEW_AT_LAST : NEW_AFTER);
  }

  async #learnNewest() {
    const moment = this.#conversations.moment();
    const newest = await this.#client.history({ size: 100 });
    this.#conversations.setNewest(newest, moment);
    this.#list.lookAgain();
    this.#draw();
    return newest;
  }

  /** From now on what comes is new; some of what came meanwhile may have been. */
  async #settle() {
    clearTimeout(this.#settling);
    this.#isLive = true;
    this.#came.clear();
    this.#unreadBefore = new Set();
    this.#callSoon(this.#missed.splice(0));
    await this.#quietly(() => this.#learnNewest());
  }

  #delivered(message) {
    const isLive = this.#isLive;
    const conversation = this.#conversations.of(message);
    const isNew = this.#conversations.deliver(message, isLive);
    if (message.toId === this.#client.userId) this.#received(message, conversation, isNew);
    if (!isLive) this.#came.add(message.id);
    if (!isLive && message.id === this.#awaited) this.#settle();
    if (this.#conversations.isStranger(conversation.peer)) this.#learnNames();
    if (conversation !== this.#open) return;
    if (!conversation.isHeld) this.#fill();
    else if (isNew) this.#readOut(message, conversation);
  }

  #received(message, conversation, isNew) {
    if (message.fromId === this.#client.userId) return this.#client.markRead(message);
    if (this.#client.hasReported(message.id)) return;
    conversation.unread.add(message.id);
    if (!this.#isLive && this.#unreadBefore?.has(message.id) === false) this.#missed.push(message);
    if (this.#isLive && isNew) this.#callSoon([message]);
  }

  /** One call is enough for all that came at the same time. */
  #callSoon(messages) {
    if (messages.length > 0) setTimeout(() => this.#call(messages), NOTIFY_AFTER);
  }

  #call(messages) {
    if (this.#ended.signal.aborted) return;
    const message = messages.findLast((message) => this.#conversations.of(message).unread.has(message.id));
    if (!message) return;
    const { name, peer } = this.#conversations.of(message);
    notify(message, name, () => this.#goTo(peer));
  }

  /** For those who do not see it. What is on the page already is not read out when a conversation is opened. */
  #readOut(message, { name }) {
    const isMine = message.fromId === this.#client.userId;
    this.#say(`${isMine ? text("you") : name}: ${summary(message)}`);
  }

  #say(what) {
    const line = document.createElement("p");
    line.textContent = what;
    element("log").append(line);
    while (element("log").children.length > READ_OUT) element("log").firstElementChild.remove();
  }

  /** Reads what the open conversation lacks. */
  async #fill() {
    const conversation = this.#open;
    if (!conversation) return;
    await this.#quietly(() => conversation.fill(this.#client));
    this.#draw();
  }

  async #readOlder() {
    const conversation = this.#open;
    return this.#quietly(() => conversation.readOlder(this.#client));
  }

  async #learnNames() {
    await this.#once("names", async () => this.#conversations.setContacts(await this.#client.contacts()));
  }

  async #learnLast(conversation) {
    if (conversation.isLastCertain) return;
    await this.#once(conversation, async () => {
      const { last } = conversation;
      const [newest] = await this.#client.history({ peer: conversation.peer, size: 1 });
      if (conversation.last === last) conversation.setLast(newest);
    });
  }

  /** Asks for a thing that nobody is asking for already. */
  async #once(thing, ask) {
    if (this.#learning.has(thing)) return;
    this.#learning.add(thing);
    await this.#quietly(ask);
    this.#learning.delete(thing);
    this.#draw();
  }

  /** Does what may be refused, or be in vain because the client was stopped. @returns whether it was done */
  async #quietly(act) {
    try {
      await act();
      return true;
    } catch (error) {
      if (error.name !== "Refused" && error.name !== "Stopped") throw error;
      return false;
    }
  }

  // What goes.

  /** The newest message of the open conversation was seen, and those before it. */
  #report() {
    if (this.#ended.signal.aborted || !this.#open?.isHeld) return;
    const { peer, unread } = this.#open;
    if (unread.size === 0) return;
    for (const id of unread) this.#client.markRead({ id, fromId: peer });
    unread.clear();
    this.#draw();
  }

  async #send(peer, content) {
    await this.#client.send(peer, content);
    this.#view.added(peer);
  }

  async #attach(peer, file) {
    await this.#uploads.add(peer, file);
    this.#view.added(peer);
    this.#say(text("fileAdded", { name: file.name }));
  }

  #attached(why) {
    this.#focus();
    this.#composer.warn(why);
  }

  async #retry({ id, waiting, upload, error }) {
    this.#focus();
    try {
      if (waiting) return await this.#uploads.retry(id);
      // The server may have swept the file: it is there for a day only, unless its message is.
      const isUpload = upload && error?.code === "forbidden" && (await this.#uploads.again(id));
      if (!isUpload) await this.#client.retry(id);
    } catch (error) {
      this.#composer.explain(error);
    }
  }

  /** An upload may become a message meanwhile, under another ID: then it stays. */
  async #discard(message) {
    const { id, waiting } = message;
    this.#focus();
    try {
      await (waiting ? this.#uploads : this.#client).discard(id);
      this.#conversations.of(message).discard(id);
      this.#draw();
    } catch (error) {
      this.#composer.explain(error);
    }
  }

  // What is shown. The address says which conversation is open, so that the browser's way back works.

  #goTo(peer) {
    location.hash = peer === null ? "" : `#/${peer}`;
  }

  #follow() {
    const peer = /^#\/([A-Za-z0-9_.@-]{1,64})$/.exec(location.hash)?.[1];
    const before = this.#open;
    this.#open = peer ? this.#conversations.with(peer) : null;
    if (before && before !== this.#open) {
      before.isOpen = false;
      before.trim();
    }
    element("messenger").dataset.open = String(Boolean(peer));
    element("conversation").hidden = !peer;
    element("conversation").dataset.peer = peer ?? "";
    element("nothing").hidden = Boolean(peer);
    element("log").replaceChildren();
    this.#composer.turnTo(peer ?? null);
    this.#attacher.turnTo(peer ?? null);
    this.#view.show(this.#open);
    this.#draw();
    if (peer) this.#enter();
    else if (before) this.#list.focus(before.peer);
  }

  #enter() {
    this.#open.isOpen = true;
    this.#fill();
    this.#focus();
  }

  /** Where one goes on: in the open conversation, or in the list. */
  #focus() {
    if (!this.#open) this.#list.focus();
    else if (isTouched()) element("peer").focus();
    else this.#composer.focus();
  }

  /** Draws once for all that changes at the same time. */
  #draw() {
    if (this.#ended.signal.aborted) return;
    showUnread(this.#conversations.unread());
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    const draw = () => {
      this.#isDrawing = false;
      if (this.#ended.signal.aborted) return;
      element("peer").textContent = this.#open?.name ?? "";
      this.#list.render(this.#open?.peer ?? null);
      this.#view.render();
    };
    // A page that nobody sees is given no frames to draw in.
    if (document.hidden) setTimeout(draw, 100);
    else requestAnimationFrame(draw);
  }
}
