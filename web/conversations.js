/**
 * What this device holds of a user's conversations, in the server's order. Knows nothing of the page, and of
 * the network only how to ask for pages of history.
 *
 * Frames alone do not tell where a message stands: right after a connect unread messages come out of any depth
 * of the past, and what this user wrote elsewhere meanwhile does not come at all. So a conversation is **held**
 * only where its messages are known to reach from the first of them to the newest without a gap, which a page
 * of history tells; from then on what is delivered is appended.
 */

import { FILE, READ, SENDING, STORED } from "./yanshu.js";

/** Messages of a conversation that nobody looks at are kept up to so many, and cut back now and then. */
const KEPT = 200;
const CUT_AT = 2 * KEPT;
/** Pages that are read back to what is certain; what is beyond is left behind, and read again as one scrolls up. */
const PAGES = 10;

/** A conversation of this user with another, or with themselves. */
class Conversation {
  /** Oldest first, without a gap; up to the newest where it is held. */
  #sent = [];
  /** What came while it was not held: it may belong anywhere. */
  #loose = [];
  /** What was written here and is not acknowledged. */
  #sending = [];
  #byId = new Map();
  #filling = null;
  /** Statuses that came before the page with their message. */
  #early = new Map();
  /** Grows each time that nothing is certain any more. */
  #doubts = 0;

  /** Whether there is nothing before the first message. */
  hasBeginning = false;
  isHeld = false;
  /** Whether somebody looks at it. */
  isOpen = false;
  /** IDs of messages that this user has not seen. */
  unread = new Set();
  /** The newest message that is known of; certain where a page of history or a delivery told. */
  last = null;
  isLastCertain = false;
  /** Grows with each message: the order of conversations. */
  rank = 0;

  constructor(peer) {
    this.peer = peer;
    this.name = peer;
  }

  get messages() {
    return [...this.#sent, ...this.#loose, ...this.#sending];
  }

  /** A message that was written here. @returns whether it was new */
  write(message) {
    const known = this.#byId.get(message.id);
    if (known) {
      known.error = message.error;
      return false;
    }
    const upload = this.#byId.get(message.upload);
    if (upload) {
      this.#becomes(upload, message);
      return true;
    }
    this.#sending.push(this.#keep(message));
    this.last = message;
    return true;
  }

  /**
   * A message that the server delivered.
   *
   * @param {boolean} isLive whether it is newer than all before; one that comes right after a connect may not be
   * @returns whether it was new
   */
  deliver(message, isLive) {
    if (this.#byId.has(message.id)) {
      this.raise(message.id, STORED);
      return false;
    }
    if (!isLive) this.letGo();
    this.#append(this.#keep(message), isLive);
    return true;
  }

  /** The status of a message rises. What was being sent takes its place among the sent ones. @returns whether it was */
  raise(id, status) {
    const message = this.#byId.get(id);
    if (!message && this.#filling) this.#early.set(id, status);
    if (!message || message.status >= status) return false;
    message.status = status;
    const wasSending = remove(this.#sending, message);
    if (wasSending) this.#append(message, true);
    return wasSending;
  }

  /**
   * A file that is to be uploaded: it stands among what is being sent, as a message without a text whose ID is the
   * upload's key.
   *
   * @param {string} [id] the message that it was, as the server had its file no more
   * @returns whether it was new
   */
  upload(upload, id = upload.key) {
    const { key, fromId, toId, time, error } = upload;
    const message = { id: key, fromId, toId, type: FILE, message: "", status: SENDING, time, error, waiting: upload };
    const known = this.#byId.get(id);
    if (known) this.#becomes(known, message);
    return known === undefined && this.write(message);
  }

  /** A message goes out under another ID. */
  reissue(id, newId) {
    const message = this.#byId.get(id);
    if (message) this.#becomes(message, { id: newId });
  }

  /** Stays in its place. */
  #becomes(message, fields) {
    this.#byId.delete(message.id);
    Object.assign(message, { error: undefined, waiting: undefined }, fields);
    this.#byId.set(message.id, message);
  }

  /** A message will not be sent; it stays where it is, with the reason. */
  refuse(id, error) {
    const message = this.#byId.get(id);
    if (message) message.error = error;
  }

  /** Forgets a message that was not sent. */
  discard(id) {
    const message = this.#byId.get(id);
    if (!message || !remove(this.#sending, message)) return;
    this.#byId.delete(id);
    if (this.last === message) this.last = this.messages.at(-1) ?? null;
  }

  /** From now on what is delivered may belong anywhere, until a page of history has told. */
  letGo() {
    this.isHeld = false;
    this.isLastCertain = false;
    this.#doubts += 1;
  }

  /** Reads what is missing up to the newest message. One reading serves all who ask meanwhile. */
  fill(client) {
    this.#filling ??= this.#fill(client).finally(() => {
      this.#filling = null;
      this.#early.clear();
    });
    return this.#filling;
  }

  async #fill(client) {
    while (!this.isHeld) {
      const doubts = this.#doubts;
      const older = new Set(this.#loose);
      const certain = this.#certain();
      const most = certain.size > 0 ? PAGES : 1;
      const read = await client.newest((id) => certain.has(id), { peer: this.peer, most });
      this.#takeIn(read, older);
      // Meanwhile something may have come out of the past, or there was a time without a connection: asking again
      // tells. Without that, what came is live, and so behind the page.
      this.isHeld = this.#doubts === doubts;
    }
    this.#sent.push(...this.#loose.splice(0));
    this.#lastIs(this.#sent.at(-1));
  }

  /**
   * IDs of the messages that a page has to meet. Nobody tells again of a receipt that another device was told of: so it
   * goes back to the first message of this user's that was not read when it was last heard of.
   */
  #certain() {
    const first = this.#sent.findIndex(({ fromId, status }) => fromId !== this.peer && status < READ);
    const certain = first < 0 ? this.#sent : this.#sent.slice(0, first + 1);
    return new Set(certain.map(({ id }) => id));
  }

  /** A page sees all that was delivered before it was asked for: what it lacks of that is older. */
  #takeIn({ messages, met, begins }, older) {
    const page = messages.map((message) => this.#keep(message));
    const inPage = new Set(page);
    const overlap = this.#sent.findIndex((message) => inPage.has(message));
    const isMet = met && overlap >= 0;
    const before = isMet ? this.#sent.slice(0, overlap) : [];
    const left = isMet ? this.#sent.slice(overlap) : this.#sent;
    for (const message of [...left, ...older]) {
      if (!inPage.has(message)) this.#byId.delete(message.id);
    }
    this.#sent = [...before, ...page];
    this.#sending = this.#sending.filter((message) => !inPage.has(message));
    this.#loose = this.#loose.filter((message) => !inPage.has(message) && !older.has(message));
    if (!isMet) this.hasBeginning = begins;
  }

  /** Reads a page of older messages. */
  async readOlder(client) {
    const [first] = this.#sent;
    if (!first || this.hasBeginning) return;
    let page = [];
    try {
      page = await client.history({ peer: this.peer, before: first.id });
    } catch (error) {
      // What was the first has been removed since, and with it all that was before.
      if (error.code !== "unknown_message") throw error;
    }
    if (this.#sent[0] !== first) return;
    this.#sent.unshift(...page.map((message) => this.#keep(message)));
    this.hasBeginning = page.length === 0;
  }

  /** Keeps what one sees when one comes back, and no more. */
  trim() {
    if (this.isOpen || this.#filling || this.#sent.length <= KEPT) return;
    for (const { id } of this.#sent.splice(0, this.#sent.length - KEPT)) this.#byId.delete(id);
    this.hasBeginning = false;
  }

  /** The newest message, as a page of history tells; none where there is none. */
  setLast(message) {
    this.#lastIs(message && (this.#byId.get(message.id) ?? message));
  }

  #lastIs(message) {
    const newest = this.#sending.at(-1) ?? message;
    if (newest) this.last = newest;
    this.isLastCertain = true;
  }

  #append(message, isLive) {
    (this.isHeld ? this.#sent : this.#loose).push(message);
    if (isLive) this.#lastIs(message);
    this.last ??= message;
    if (this.#sent.length > CUT_AT) this.trim();
    // A page of history tells, when somebody looks.
    const isMuch = this.#loose.length > CUT_AT && !this.isOpen && !this.#filling;
    if (isMuch) this.#byId.delete(this.#loose.shift().id);
  }

  /** There is one object for each message: its status never falls, whatever comes late. */
  #keep(message) {
    const known = this.#byId.get(message.id);
    if (known) {
      known.status = Math.max(known.status, message.status);
      return known;
    }
    message.status = Math.max(message.status, this.#early.get(message.id) ?? 0);
    this.#byId.set(message.id, message);
    return message;
  }
}

/** All conversations of one user. */
export class Conversations {
  #me;
  #all = new Map();
  #contacts = null;
  #rank = 0;

  constructor(me) {
    this.#me = me;
  }

  /** The conversation with a user; it begins to be known with this. */
  with(peer) {
    if (!this.#all.has(peer)) this.#all.set(peer, new Conversation(peer));
    return this.#all.get(peer);
  }

  /** The conversation of a message, or of a status. */
  of({ fromId, toId }) {
    return this.with(fromId === this.#me ? toId : fromId);
  }

  [Symbol.iterator]() {
    return this.#all.values();
  }

  /** Those with the newest messages first, then those without any, by name. */
  sorted() {
    const time = ({ last }) => last?.time ?? "";
    const compare = (a, b) => (a < b ? -1 : Number(a > b));
    const order = (a, b) =>
      b.rank - a.rank || compare(time(b), time(a)) || compare(a.name, b.name);
    return [...this].sort(order);
  }

  /** How many messages were not seen. */
  unread() {
    return [...this].reduce((sum, { unread }) => sum + unread.size, 0);
  }

  /** Takes in the list of contacts. */
  setContacts(contacts) {
    this.#contacts = new Set(contacts.map(({ toId }) => toId));
    for (const { toId, toName } of contacts) this.with(toId).name = toName;
  }

  /** Whether a user was not among the contacts when those were asked for; it is said once of each. */
  isStranger(peer) {
    if (this.#contacts === null || this.#contacts.has(peer)) return false;
    this.#contacts.add(peer);
    return true;
  }

  /** This moment: what is told of a conversation later does not count against what has come since. */
  moment() {
    return this.#rank;
  }

  /** Takes in the newest messages of all conversations, oldest first, asked for at a moment. */
  setNewest(messages, moment) {
    for (const message of messages) {
      const conversation = this.of(message);
      if (conversation.rank > moment && conversation.isLastCertain) continue;
      conversation.setLast(message);
    }
    // The order is that of the last message of each; behind them comes what has come since.
    const since = this.sorted().filter(({ rank }) => rank > moment);
    const peers = new Set([...since, ...messages.toReversed().map((message) => this.of(message))]);
    for (const conversation of [...peers].reverse()) conversation.rank = ++this.#rank;
  }

  /** After a connect nothing is certain about what happened meanwhile; what is unread comes again. */
  letGo() {
    for (const conversation of this) {
      conversation.letGo();
      conversation.unread.clear();
    }
  }

  /** A message that was written here. @returns whether it was new */
  write(message) {
    const conversation = this.of(message);
    const isNew = conversation.write(message);
    if (isNew) conversation.rank = ++this.#rank;
    return isNew;
  }

  /** A file that is to be uploaded, see {@link Conversation#upload}. */
  upload(upload, id) {
    const conversation = this.with(upload.toId);
    if (conversation.upload({ ...upload, fromId: this.#me }, id)) conversation.rank = ++this.#rank;
  }

  /** A message that the server delivered, see {@link Conversation#deliver}. @returns whether it was new */
  deliver(message, isLive) {
    const conversation = this.of(message);
    const isNew = conversation.deliver(message, isLive);
    if (isNew && isLive) conversation.rank = ++this.#rank;
    return isNew;
  }

  raise(status) {
    const conversation = this.of(status);
    if (conversation.raise(status.id, status.status)) conversation.rank = ++this.#rank;
    if (status.status === READ) conversation.unread.delete(status.id);
  }

  /** A message was seen to by another device. */
  discard(id) {
    for (const conversation of this) conversation.discard(id);
  }
}

function remove(list, item) {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
  return index >= 0;
}
