/**
 * The reference client of Yanshu's protocol (docs/PROTOCOL.md): one WebSocket, small JSON frames, and what a
 * client owes to both. It has no dependency, knows nothing of pages, and runs wherever there is a `WebSocket`
 * and an `EventTarget`: in browsers, and in Node.js from version 22.
 *
 * Files go over HTTP, beside it: `files.js` uploads and fetches them, `uploads.js` keeps those that wait for that.
 *
 * It connects, and again after the network or the server was away; sends what was not acknowledged until it is;
 * keeps message IDs in reserve, so that one can write while offline; repeats what the server could not do at the
 * moment; reports what was read; and notices a connection that is dead without having been closed.
 *
 * What it does not do: remember messages. It tells of each as it comes, maybe again on another connection, and
 * reads pages of history.
 *
 * ```js
 * const client = new Client({ url: "ws://127.0.0.1:8080/ws", userId: "HK0001" });
 * client.addEventListener("message", ({ detail: message }) => console.log(message.fromId, message.message));
 * client.start();
 * await client.send("HK0002", "你好");
 * ```
 */

/** What a message carries, `type` in a frame. */
export const TEXT = 0;
export const FILE = 1;

/** How far a message has come, `status` in a frame. It only rises. */
export const SENDING = 0;
export const STORED = 1;
export const READ = 2;

/** Most bytes of UTF-8 in one message, and in the frame around it, where JSON escapes some characters. */
export const MESSAGE_BYTES = 32 * 1024;
const FRAME_BYTES = 64 * 1024;

const CONNECT = "1";
const IDS = "2";
const MESSAGE = "3";
const STATUS = "4";
const CONTACTS = "11";
const HISTORY = "12";
const ERROR = "0";

/** What is asked and answered: the answers to one action come in the order of its questions. */
const ASKED = [IDS, CONTACTS, HISTORY];

/** IDs to have in reserve. They come in tens; a grant that is not spent lapses after thirty days. */
const RESERVE = 30;
const ID_LIFE = 29 * 24 * 3600e3;

/** What a close code is where the connection ended without one (RFC 6455 §7.1.5). */
const BROKEN = 1006;
const TOO_LARGE = 1009;
const TOKEN_REFUSED = 4401;
const FLOODED = 4429;
/** With these a client stays away until somebody asks it to come. */
const STAY_AWAY = new Set([1000, 1002, 1007, TOO_LARGE, TOKEN_REFUSED, 4409]);

/** Milliseconds: the longest pause before connecting again, and the first and the longest before a repetition. */
const LONGEST_PAUSE = 60e3;
const REPEAT_FIRST = 1e3;
const REPEAT_LONGEST = 30e3;
/** After so long a connection counts as a good one, and the next pause is the shortest again. */
const GOOD_AFTER = 30e3;
/** A page sees no pings: after so much silence it asks for a sign of life, and waits so long for one. */
const SILENCE = 25e3;
const SIGN_OF_LIFE = 15e3;
/** A handshake and the answer to connect take no longer. */
const CONNECT_WITHIN = 20e3;
/** A token is replaced so long before its end; another attempt follows after so long. */
const RENEW_BEFORE = 60e3;
const RENEW_AGAIN = 30e3;
/** With so many fresh tokens refused in a row there is no use in another. */
const TOKENS_MOST = 3;

/** Reports of what was read go out so many at a time, so that a long absence is no flood. */
const REPORTS = 20;
const REPORTS_EVERY = 500;
/** Messages that were reported as read and are remembered as such; beyond that the oldest are forgotten. */
const REPORTED_MOST = 10_000;

/** An error frame, as an exception. `code` is one of the codes in docs/PROTOCOL.md. */
export class Refused extends Error {
  constructor({ code, message, retryable }) {
    super(message);
    this.name = "Refused";
    this.code = code;
    this.retryable = retryable;
  }
}

/** There is no ID left to send with, and no connection to ask for more. */
export class NoIdLeft extends Error {
  constructor() {
    super("all message IDs in reserve are spent; there will be more once there is a connection");
    this.name = "NoIdLeft";
  }
}

/** No server takes this text: it is empty, too long, or has a NUL character in it. */
export class Unsendable extends Error {
  constructor(message) {
    super(message);
    this.name = "Unsendable";
  }
}

/** The client is stopped: nothing is answered. */
export class Stopped extends Error {
  constructor() {
    super("the client is stopped");
    this.name = "Stopped";
  }
}

/**
 * What a client must not forget: IDs that were granted and not spent, messages that were not acknowledged, and files
 * that are to be uploaded, or whose messages were not acknowledged. This one forgets with its page; `storage.js` has
 * one that does not. Each act is done as a whole or not at all.
 */
export class MemoryStorage {
  #ids = [];
  #outbox = new Map();
  /** Uploads by key, and of which there is no message. */
  #uploads = new Map();
  #waiting = new Set();

  /** Takes the oldest ID granted after `since`, for good: no other taker gets it. */
  async takeId(since) {
    this.#ids = this.#ids.filter(({ granted }) => granted > since);
    return this.#ids.shift()?.id;
  }

  async addIds(ids, granted) {
    this.#ids.push(...ids.map((id) => ({ id, granted })));
  }

  async countIds(since) {
    return this.#ids.filter(({ granted }) => granted > since).length;
  }

  /** Messages that were not acknowledged, in the order in which they were put here. */
  async outbox() {
    return [...this.#outbox.values()].map((message) => ({ ...message }));
  }

  /**
   * Puts a message in; one of an upload only where that waits still, which it does no longer then.
   *
   * @returns whether it did
   */
  async putOut(message) {
    if (message.upload && !this.#waiting.delete(message.upload)) return false;
    this.#outbox.set(message.id, { ...message });
    return true;
  }

  /** Puts a message in the place of the one with this ID, where that is still there. @returns whether it was */
  async replaceOut(id, message) {
    if (!this.#outbox.has(id)) return false;
    const entries = [...this.#outbox].map(([key, kept]) => (key === id ? [message.id, { ...message }] : [key, kept]));
    this.#outbox = new Map(entries);
    return true;
  }

  /** Takes a message out, and with it the upload that it came of. */
  async removeOut(id) {
    this.#uploads.delete(this.#outbox.get(id)?.upload);
    this.#outbox.delete(id);
  }

  /** Uploads that wait, in the order in which they were put here. */
  async uploads() {
    return [...this.#waiting].map((key) => ({ ...this.#uploads.get(key) }));
  }

  async putUpload(upload) {
    this.#uploads.set(upload.key, { ...upload });
    this.#waiting.add(upload.key);
  }

  /** Puts an upload in the place of the one with this key, where that waits still. @returns whether it does */
  async replaceUpload(key, upload) {
    if (!this.#waiting.has(key)) return false;
    this.#uploads.set(key, { ...upload });
    return true;
  }

  /** Takes an upload out, where it waits still. */
  async removeUpload(key) {
    if (this.#waiting.delete(key)) this.#uploads.delete(key);
  }

  /** Takes a message out, and lets the upload that it came of wait again. @returns that, where it is still here */
  async uploadAgain(id) {
    const upload = this.#uploads.get(this.#outbox.get(id)?.upload);
    if (!upload) return undefined;
    const { content: _, error: __, ...again } = upload;
    this.#outbox.delete(id);
    await this.putUpload(again);
    return again;
  }
}

/**
 * A device of one user.
 *
 * Events, each with its `detail`:
 *
 * - `state`: see {@link Client#state};
 * - `message`: a message that the server delivered, to this user or from another device of theirs. It may come
 *   again on another connection;
 * - `written`: a message of this user that is in the outbox, with status 0, with `error` where the server has
 *   refused it, and with the key of its `upload` where it came of one. It is told again with each connection, and by all devices that share a storage;
 * - `status`: `{ id, fromId, toId, status }`, of the message with this ID from `toId` to `fromId`;
 * - `refused`: `{ id, toId, error }`, a message that will not be sent, and why. It stays in the outbox until
 *   {@link Client#retry} or {@link Client#discard};
 * - `reissued`: `{ id, toId, newId }`, a message that goes out under another ID;
 * - `gone`: `{ id, toId }`, a message that another device with the same storage has seen to: it was sent, given another
 *   ID, or discarded.
 */
export class Client extends EventTarget {
  #options;
  #storage;
  #socket = null;
  #state = { state: "stopped" };
  #attempts = 0;
  #tokensRefused = 0;
  #token;
  /** Those of a connection; they end with it. */
  #timers = new Map();
  /** Questions by action: those that were not answered, in the order in which they were or will be asked. */
  #asked = new Map(ASKED.map((action) => [action, []]));
  /** Questions that the server could not answer at the moment. */
  #resting = [];
  /** Whose messages were reported as read: their senders, by ID. */
  #reported = new Map();
  /** Those that are to be reported. */
  #reports = new Map();
  #refilling = null;
  #repeatPause = REPEAT_FIRST;
  /** Writing and resending are one act after the other, so that messages leave in the order in which they were written. */
  #turn = Promise.resolve();
  /** What was written earlier has left on this connection; until then nothing may leave that was written later. */
  #isInOrder = false;
  /** Messages that were sent on this connection and not answered, by ID. */
  #underWay = new Map();
  /** Messages that were told of as written, and of which there was nothing else to tell yet: to whom, by ID. */
  #written = new Map();
  /** Other clients with the same storage. */
  #others = null;

  /**
   * @param {object} options
   * @param {string | URL} options.url where the WebSocket is
   * @param {string} options.userId who this is
   * @param {string | (() => string | Promise<string>)} [options.token] shown to a server that asks for one; a
   *   function is asked for a fresh one with each connection, and before one ends
   * @param {MemoryStorage} [options.storage] what must not be forgotten
   * @param {string} [options.name] what the storage is called, where several tabs share it
   * @param {typeof WebSocket} [options.WebSocket] what to connect with
   */
  constructor(options) {
    super();
    this.#options = { WebSocket: globalThis.WebSocket, ...options };
    this.#storage = options.storage ?? new MemoryStorage();
  }

  get userId() {
    return this.#options.userId;
  }

  /**
   * `{ state, retryAt?, code?, error? }`. `state` is `connecting`, `connected`, `waiting` until `retryAt`
   * (milliseconds since 1970), or `stopped`: with the close `code` of a server that closed for good, with the
   * `error` of one that does not take this user.
   */
  get state() {
    return this.#state;
  }

  /** Connects now, and stays connected until {@link Client#stop}. */
  start() {
    this.#listenToOthers();
    if (this.#state.state === "stopped") {
      this.#attempts = 0;
      this.#tokensRefused = 0;
    }
    if (this.#state.state === "stopped" || this.#state.state === "waiting") this.#connect();
  }

  /** There is a new network: connects now in place of later, or finds out whether the connection still lives. */
  hurry() {
    if (this.#state.state === "waiting" && this.#state.code !== FLOODED) this.#connect();
    else this.check();
  }

  /** Finds out whether the connection still lives. */
  check() {
    if (this.#state.state !== "connected" || this.#timers.has("life")) return;
    this.#after("life", SIGN_OF_LIFE, () => this.#lost(BROKEN));
    // The same user again on the same socket is answered again, and nothing else happens.
    this.#sendFrame({ action: CONNECT });
  }

  /** Disconnects, and stays so. What is in the outbox stays there. */
  stop() {
    this.#end({});
    this.#others?.close();
    this.#others = null;
  }

  /**
   * Writes a message. It is in the outbox when this is done, and goes out now, or as soon as there is a
   * connection; `status` tells when it is stored.
   *
   * @param {string} toId
   * @param {string} content text, or for {@link FILE} the JSON that says which file
   * @param {object} [options]
   * @param {string} [options.upload] the key of the upload that this is the message of
   * @returns the message, with status 0; nothing where another device with the same storage has seen to that upload
   * @throws {Unsendable | NoIdLeft} nothing was written
   */
  async send(toId, content, type = TEXT, { upload } = {}) {
    // Half of a character of two halves is no Unicode, and no JSON that a server takes.
    const message = { toId, type, message: content.toWellFormed?.() ?? content, time: now() };
    if (upload !== undefined) message.upload = upload;
    checkSendable(message);
    return this.#inTurn(() => this.#write(message));
  }

  /**
   * Sends a message that was refused again, under another ID.
   *
   * @throws {NoIdLeft} it is as it was
   */
  async retry(id) {
    return this.#inTurn(() => this.#reissue(id));
  }

  /** Takes a message that was refused out of the outbox. */
  async discard(id) {
    await this.#storage.removeOut(id);
    this.#written.delete(id);
    this.#tellOthers();
  }

  /** Somebody else has changed the outbox: has the other clients with the same storage look at it. */
  outboxChanged() {
    this.#tellOthers();
  }

  /** Reports a message to this user as read. Where that is lost, the message comes again, and so does the report. */
  markRead({ id, fromId }) {
    this.#reported.set(id, fromId);
    if (this.#reported.size > REPORTED_MOST) {
      const [oldest] = this.#reported.keys();
      this.#reported.delete(oldest);
    }
    this.#report(id, fromId);
  }

  /** Whether this client has reported a message as read. */
  hasReported(id) {
    return this.#reported.has(id);
  }

  /** The full list: `[{ toId, toName }]`, by ID. */
  async contacts() {
    return (await this.#ask(CONTACTS, {})).contacts;
  }

  /**
   * A page of messages, oldest first: the last `size` before the message `before`, or the newest; with one user,
   * or of all conversations. An empty page is the beginning; a short one is not.
   *
   * @throws {Refused} with `unknown_message` where `before` is not there (any more)
   */
  async history({ peer, before, size = 50 } = {}) {
    const answer = await this.#ask(HISTORY, { toId: peer, baseMsgId: before, pageSize: size });
    return answer.historyMsgs.map(flat);
  }

  /**
   * Reads backwards from the newest message until one is known: what happened while this device was away.
   *
   * @param {(id: string) => boolean} isKnown
   * @returns `{ messages, met, begins }`: oldest first; from a known one on where `met`, from the very first one
   *   on where `begins`, else from where `most` pages reach
   */
  async newest(isKnown, { peer, size = 50, most = 10 } = {}) {
    let messages = [];
    for (let pages = 0; pages < most; pages += 1) {
      let page;
      try {
        page = await this.history({ peer, before: messages[0]?.id, size });
      } catch (error) {
        if (error.code !== "unknown_message") throw error;
        // What was the base has been removed meanwhile.
        messages = [];
        continue;
      }
      messages = [...page, ...messages];
      const met = page.some(({ id }) => isKnown(id));
      if (met || page.length === 0) return { messages, met, begins: page.length === 0 };
    }
    return { messages, met: false, begins: false };
  }

  // The connection.

  async #connect() {
    this.#abandon();
    const attempt = { state: "connecting" };
    this.#after("connecting", CONNECT_WITHIN, () => this.#lost(BROKEN));
    this.#become(attempt);
    let socket;
    try {
      const token = await this.#freshToken();
      if (this.#state !== attempt) return;
      this.#token = token;
      socket = new this.#options.WebSocket(this.#options.url);
    } catch {
      if (this.#state === attempt) this.#lost(BROKEN);
      return;
    }
    this.#socket = socket;
    // A socket that was given up may still have something to say: nobody listens to it.
    const listen = (name, act) =>
      socket.addEventListener(name, (event) => this.#socket === socket && act(event));
    listen("open", () => this.#sendFrame({ action: CONNECT, token: this.#token }));
    listen("message", ({ data }) => this.#hear(data));
    listen("close", ({ code }) => this.#lost(code));
  }

  async #freshToken() {
    const { token } = this.#options;
    return typeof token === "function" ? await token() : token;
  }

  /** Lets go of the socket without waiting for it. */
  #abandon() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isInOrder = false;
    // One that has a connection still can send it.
    if (this.#underWay.size > 0) this.#tellOthers();
    this.#underWay.clear();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    // Nobody waits for IDs without a connection: there is an answer to that, NoIdLeft.
    const isForIds = ({ action }) => action === IDS;
    const resting = this.#resting.filter(isForIds).map(({ question }) => question);
    this.#resting = this.#resting.filter((one) => !isForIds(one));
    for (const { reject } of [...this.#asked.get(IDS).splice(0), ...resting]) reject(new NoIdLeft());
    socket?.close();
  }

  #lost(code) {
    if (code === TOKEN_REFUSED) this.#tokensRefused += 1;
    const canRenew = typeof this.#options.token === "function" && this.#tokensRefused < TOKENS_MOST;
    if (code === TOO_LARGE) this.#setLargestAside();
    if (STAY_AWAY.has(code) && !(code === TOKEN_REFUSED && canRenew)) return this.#end({ code });
    this.#abandon();
    // After a restart all clients of a server come at once: chance spreads them.
    const longest = Math.min(1e3 * 2 ** this.#attempts, LONGEST_PAUSE);
    const pause = code === FLOODED ? LONGEST_PAUSE * (0.75 + Math.random() / 4) : Math.random() * longest;
    this.#attempts += 1;
    this.#after("waiting", pause, () => this.#connect());
    this.#become({ state: "waiting", retryAt: Date.now() + pause, code });
  }

  /** Ends for good: nothing is answered any more. */
  #end(why) {
    this.#abandon();
    const questions = [...this.#asked.values()].flatMap((asked) => asked.splice(0));
    questions.push(...this.#resting.splice(0).map(({ question }) => question));
    for (const { reject } of questions) reject(new Stopped());
    this.#become({ state: "stopped", ...why });
  }

  #connected() {
    if (this.#state.state === "connected") return;
    this.#clear("connecting");
    this.#after("good", GOOD_AFTER, () => {
      this.#attempts = 0;
      this.#tokensRefused = 0;
    });
    this.#state = { state: "connected" };
    // Before anybody is told, who may have new questions.
    for (const [action, questions] of this.#asked) {
      for (const { fields } of questions) this.#sendFrame({ action, ...fields });
    }
    this.#wake();
    this.#resend();
    this.#refill();
    this.#sendReports();
    this.#renewInTime();
    this.#tell("state", this.#state);
  }

  /** Shows a fresh token before the present one ends, on the same socket. */
  #renewInTime() {
    const ends = endOf(this.#token);
    if (typeof this.#options.token !== "function" || ends === undefined) return;
    const pause = Math.max(ends - RENEW_BEFORE - Date.now(), RENEW_AGAIN);
    this.#after("renewing", Math.min(pause, 2 ** 31 - 1), async () => {
      const socket = this.#socket;
      const token = await this.#freshToken().catch(() => undefined);
      if (this.#socket !== socket) return;
      if (token && token !== this.#token) {
        this.#token = token;
        this.#sendFrame({ action: CONNECT, token });
      }
      this.#renewInTime();
    });
  }

  // What comes.

  #hear(text) {
    this.#after("silence", SILENCE, () => this.check());
    this.#clear("life");
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#lost(BROKEN);
    }
    switch (frame.action) {
      case CONNECT:
        return this.#connected();
      case MESSAGE:
        return this.#delivered(flat(frame));
      case STATUS:
        return this.#raised(frame);
      case ERROR:
        return this.#refused(frame);
      default:
        // An action of a version to come is nobody's answer.
        this.#asked.get(frame.action)?.shift()?.resolve(frame);
    }
  }

  #delivered(message) {
    if (message.toId === this.userId && this.#reported.has(message.id)) this.#report(message.id, message.fromId);
    // It came as its sender sent it, with status 0: nobody sees a message that is not stored.
    this.#tell("message", { ...message, status: STORED });
  }

  #raised({ fromId, toId, chatMsg: { id, status } }) {
    if (toId === this.userId) {
      this.#repeatPause = REPEAT_FIRST;
      this.#underWay.delete(id);
      this.#written.delete(id);
      // What cannot be taken out now is sent again, acknowledged again, and taken out then.
      this.#storage.removeOut(id).catch(() => {});
    }
    this.#tell("status", { id, fromId, toId, status });
  }

  #refused({ error, chatMsg }) {
    if (ASKED.includes(error.action)) {
      this.#refusedQuestion(error);
    } else if (error.action === MESSAGE && chatMsg?.id) {
      this.#refusedMessage(chatMsg.id, error);
    } else if (error.action === STATUS && error.retryable && this.#reported.has(chatMsg?.id)) {
      this.#reports.set(chatMsg.id, this.#reported.get(chatMsg.id));
      this.#clear("reporting");
      this.#unlessUnderWay("reporting later", () => this.#sendReports());
    } else if (error.action === CONNECT && !error.retryable) {
      this.#end({ error: new Refused(error) });
    } else if (error.action === CONNECT && this.#state.state === "connecting") {
      this.#lost(BROKEN);
    }
  }

  #refusedQuestion(error) {
    const question = this.#asked.get(error.action).shift();
    if (!question) return;
    if (!error.retryable) return question.reject(new Refused(error));
    this.#resting.push({ action: error.action, question });
    this.#unlessUnderWay("resting", () => this.#wake());
  }

  /** Asks again what could not be answered. */
  #wake() {
    for (const { action, question } of this.#resting.splice(0)) this.#put(action, question);
  }

  #refusedMessage(id, error) {
    this.#underWay.delete(id);
    if (error.retryable) {
      // What is written meanwhile waits for it.
      this.#isInOrder = false;
      return this.#unlessUnderWay("repeating", () => this.#resend());
    }
    // Nothing of this user's is stored under that ID, or something else is: the message goes under another.
    const isIdsFault = error.code === "id_not_granted" || error.code === "id_conflict";
    const seeTo = () => (isIdsFault ? this.#reissue(id) : this.#setAside(id, error));
    this.#inTurn(seeTo).catch(() => this.#inTurn(() => this.#setAside(id, error)).catch(() => {}));
  }

  /** A message stays in the outbox, and is not sent any more. */
  async #setAside(id, error) {
    const message = await this.#find(id);
    if (!message) return this.#tellGone(id, this.#written.get(id));
    const { code, message: why, retryable } = error;
    await this.#storage.replaceOut(id, { ...message, error: { code, message: why, retryable } });
    this.#tell("refused", { id, toId: message.toId, error });
    this.#tellOthers();
  }

  /** A frame was larger than the server takes: that was the largest one of this connection. */
  #setLargestAside() {
    const [largest] = [...this.#underWay.values()].sort((a, b) => frameBytes(b) - frameBytes(a));
    if (!largest) return;
    const error = { code: "too_large", message: "the frame is larger than the server takes", retryable: false };
    this.#inTurn(() => this.#setAside(largest.id, error)).catch(() => {});
  }

  // What goes.

  async #write(content) {
    const id = await this.#takeId();
    const message = { ...content, id, fromId: this.userId, status: SENDING };
    if ((await this.#storage.putOut(message)) === false) return null;
    this.#tellWritten(message);
    if (!this.#sendMessage(message)) this.#tellOthers();
    this.#refill();
    return message;
  }

  /** Gives a message another ID, and sends it under that, unless another device has seen to it. */
  async #reissue(id) {
    const message = await this.#find(id);
    const newId = message && (await this.#takeId());
    const { error: _, ...again } = { ...message, id: newId };
    if (!message || !(await this.#storage.replaceOut(id, again))) {
      return this.#tellGone(id, message?.toId ?? this.#written.get(id));
    }
    this.#written.delete(id);
    this.#written.set(newId, message.toId);
    this.#tell("reissued", { id, toId: message.toId, newId });
    this.#sendMessage(again);
    this.#tellOthers();
  }

  async #find(id) {
    return (await this.#storage.outbox()).find((message) => message.id === id);
  }

  /**
   * Tells of all that was not acknowledged, and sends it, in its order, unless its answer is to come. What the server
   * has already it acknowledges again.
   */
  #resend() {
    const socket = this.#socket;
    const resent = this.#inTurn(async () => {
      const outbox = this.#socket === socket ? await this.#storage.outbox() : [];
      if (this.#socket !== socket) return;
      this.#isInOrder = true;
      this.#tellWhatIsGone(outbox);
      for (const message of outbox) {
        this.#tellWritten(message);
        if (!message.error && !this.#underWay.has(message.id)) this.#sendMessage(message);
      }
    });
    resent.catch(() => this.#socket === socket && this.#unlessUnderWay("repeating", () => this.#resend()));
  }

  /** What was sent here and is not answered yet may be taken out by another device: its answer comes all the same. */
  #tellWhatIsGone(outbox) {
    const kept = new Set([...outbox.map(({ id }) => id), ...this.#underWay.keys()]);
    for (const [id, toId] of this.#written) if (!kept.has(id)) this.#tellGone(id, toId);
  }

  #tellGone(id, toId) {
    this.#written.delete(id);
    this.#tell("gone", { id, toId });
  }

  #tellWritten(message) {
    this.#written.set(message.id, message.toId);
    this.#tell("written", { ...message });
  }

  // Others with the same storage.

  #listenToOthers() {
    const { name } = this.#options;
    if (name === undefined || this.#others) return;
    this.#others = new BroadcastChannel(`yanshu outbox ${name}`);
    // Without a connection it looks as soon as there is one.
    this.#others.onmessage = () => this.#state.state === "connected" && this.#resend();
  }

  /** That there is something in the outbox for them to see to. */
  #tellOthers() {
    this.#others?.postMessage(null);
  }

  #inTurn(act) {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** @returns whether it has left; else it does with what was written before it */
  #sendMessage(message) {
    if (!this.#isInOrder) return false;
    const isSent = this.#sendFrame(messageFrame(message));
    if (isSent) this.#underWay.set(message.id, message);
    return isSent;
  }

  #report(id, fromId) {
    this.#reports.set(id, fromId);
    if (!this.#timers.has("reporting") && !this.#timers.has("reporting later")) this.#sendReports();
  }

  #sendReports() {
    if (this.#state.state !== "connected" || this.#reports.size === 0) return;
    for (const [id, fromId] of [...this.#reports].slice(0, REPORTS)) {
      this.#reports.delete(id);
      this.#sendFrame({ action: STATUS, toId: fromId, chatMsg: { id, status: READ } });
    }
    this.#after("reporting", REPORTS_EVERY, () => this.#sendReports());
  }

  #ask(action, fields) {
    return new Promise((resolve, reject) => {
      if (this.#state.state === "stopped") return reject(new Stopped());
      this.#put(action, { fields, resolve, reject });
    });
  }

  #put(action, question) {
    this.#asked.get(action).push(question);
    this.#sendFrame({ action, ...question.fields });
  }

  /** An ID to send under. Asks for more while there is somebody to ask. */
  async #takeId() {
    for (;;) {
      const id = await this.#storage.takeId(Date.now() - ID_LIFE);
      if (id) return id;
      if (this.#state.state === "connecting") await this.#change();
      else if (this.#state.state !== "connected" || !(await this.#refill())) throw new NoIdLeft();
    }
  }

  /** Waits for the state to change. */
  #change() {
    return new Promise((resolve) => this.addEventListener("state", resolve, { once: true }));
  }

  /** Fills the reserve. @returns whether that could be done */
  #refill() {
    this.#refilling ??= this.#fill()
      .then(() => true, () => false)
      .finally(() => (this.#refilling = null));
    return this.#refilling;
  }

  async #fill() {
    while ((await this.#storage.countIds(Date.now() - ID_LIFE)) < RESERVE) {
      if (this.#state.state !== "connected") throw new NoIdLeft();
      const { chatMsg } = await this.#ask(IDS, {});
      await this.#storage.addIds(chatMsg.message.split(","), Date.now());
    }
  }

  /**
   * Sends a frame where there is a connection. Whoever needs it sent sees to that when there is one again.
   *
   * @returns whether there is
   */
  #sendFrame(fields) {
    const isConnect = fields.action === CONNECT;
    const isReady = this.#socket?.readyState === 1 && (isConnect || this.#state.state === "connected");
    if (isReady) this.#socket.send(JSON.stringify({ fromId: this.userId, ...fields }));
    return isReady;
  }

  // Small things.

  /** Does something on this connection after a pause that grows from time to time, unless that is under way. */
  #unlessUnderWay(name, act) {
    if (this.#timers.has(name)) return;
    const pause = this.#repeatPause * (0.5 + Math.random() / 2);
    this.#repeatPause = Math.min(this.#repeatPause * 2, REPEAT_LONGEST);
    this.#after(name, pause, act);
  }

  /** Does something after a pause, unless the connection ends or the same thing is put off before. */
  #after(name, pause, act) {
    this.#clear(name);
    const expire = () => {
      this.#timers.delete(name);
      act();
    };
    this.#timers.set(name, setTimeout(expire, pause));
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  #become(state) {
    this.#state = state;
    this.#tell("state", state);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function messageFrame({ id, toId, type, message, time }) {
  return { action: MESSAGE, toId, chatMsg: { id, type, message, status: SENDING, time } };
}

function frameBytes(message) {
  return bytes(JSON.stringify(messageFrame(message)));
}

function bytes(text) {
  return new TextEncoder().encode(text).length;
}

function checkSendable(message) {
  const content = message.message;
  if (content === "") throw new Unsendable("the text is empty");
  if (content.includes("\0")) throw new Unsendable("the text has a NUL character in it");
  // What is added to the frame, the user's ID and the message's, has 256 bytes at most.
  if (bytes(content) > MESSAGE_BYTES || frameBytes(message) > FRAME_BYTES - 256) {
    throw new Unsendable("the text is too long");
  }
}

/** A message as one flat object, from a frame or a page of history. */
function flat({ fromId, toId, chatMsg }) {
  return { fromId, toId, ...chatMsg };
}

/** This moment as `yyyy-MM-dd HH:mm:ss`, in UTC as the server writes it where a client does not. */
function now() {
  return new Date().toISOString().slice(0, 19).replace("T", " ");
}

/** When a token ends, in milliseconds since 1970, as its claim `exp` says (RFC 7519 §4.1.4). */
function endOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(claims));
    return typeof exp === "number" ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
