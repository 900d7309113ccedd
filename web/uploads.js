/**
 * Files on their way to the server: kept until they are there, then sent as messages of type 1. What is added here
 * outlives the connection, and with a storage that does, the page. Knows nothing of pages.
 *
 * A file takes no message ID before it is uploaded: an ID belongs to one text, and that is known only then. So what
 * is written meanwhile goes its own way, and a file is part of the conversation from when it is there. The files to
 * one user go one after the other, in their order, by one of the tabs that share a storage.
 */

import { FILE } from "./yanshu.js";

/** Milliseconds: the first and the longest pause before a repetition. */
const REPEAT_FIRST = 1e3;
const REPEAT_LONGEST = 60e3;
/** An upload that failed so often while there was a connection is not tried again unasked. */
const FAILED_MOST = 8;
const TOKEN_REFUSED = 401;

/** The file cannot be read: it was moved or changed, or is a folder. */
export class Unreadable extends Error {
  constructor() {
    super("the file cannot be read");
    this.name = "Unreadable";
    this.code = "unreadable";
    this.retryable = false;
  }
}

/**
 * The files that one user sends.
 *
 * An upload is `{ key, toId, name, size, mime, time, blob, error? }`. Events, each with its `detail`:
 *
 * - `waiting`: an upload that is to be done, or was refused with `error`. It is told again with each connection;
 * - `progress`: `{ key, toId, loaded, total }`, with nothing loaded where it is to begin anew;
 * - `refused`: `{ key, toId, error }`, one that waits for {@link Uploads#retry} or {@link Uploads#discard};
 * - `uploaded`: `{ key, toId, file, blob }`: the server has it. The client's event `written` follows, with the key as
 *   the message's `upload`;
 * - `again`: `{ id, upload }`: a message became an upload again;
 * - `gone`: `{ key, toId }`: an upload that was discarded, or that another device with the same storage has seen to.
 */
export class Uploads extends EventTarget {
  #client;
  #files;
  #storage;
  #locks;
  #name;
  /** Other tabs with the same storage. */
  #others = null;
  /** Uploads that were told of, by key: to whom. */
  #known = new Map();
  /** To whom something is uploaded, and who has something new to upload. */
  #working = new Set();
  #woken = new Set();
  /** What is uploaded here, by key. */
  #underWay = new Map();
  /** How often an upload failed since there is a connection, by key. */
  #failures = new Map();
  #pauses = new Set();
  #ended = new AbortController();

  /**
   * @param {import("./yanshu.js").Client} client what the messages are sent with
   * @param {import("./files.js").Files} files
   * @param {import("./yanshu.js").Storage} storage the client's
   * @param {string} [name] what the storage is called, where several tabs share it
   */
  constructor(client, files, storage, name) {
    super();
    this.#client = client;
    this.#files = files;
    this.#storage = storage;
    this.#name = `yanshu uploads ${name}`;
    const { signal } = this.#ended;
    client.addEventListener("state", ({ detail: { state } }) => state === "connected" && this.#connected(), { signal });
    if (name === undefined) return;
    // Only pages in a secure context have locks. Without them two tabs may upload the same; one message comes of it.
    this.#locks = globalThis.navigator?.locks;
    this.#others = new BroadcastChannel(this.#name);
    // One of them uploads, and all show how much is done.
    this.#others.onmessage = ({ data: progress }) => (progress ? this.#tell("progress", progress) : this.#look());
  }

  /** Gives up what is under way. What waits stays where it is kept. */
  stop() {
    this.#ended.abort();
    this.#others?.close();
    for (const controller of this.#underWay.values()) controller.abort();
    this.#goOn();
  }

  /**
   * Adds a file for a user. It is kept when this is done, and uploaded now, or as soon as there is a connection.
   *
   * @param {string} toId
   * @param {Blob} blob
   * @throws {Unreadable | DOMException} nothing was kept
   */
  async add(toId, blob, name = blob.name ?? "file") {
    await checkReadable(blob);
    const time = new Date().toISOString().slice(0, 19).replace("T", " ");
    const upload = { key: newKey(), toId, name, size: blob.size, mime: blob.type, time, blob };
    await this.#storage.putUpload(upload);
    this.#learn(upload);
    this.#tellOthers();
    this.#wake(toId);
  }

  /** Uploads what was refused again. */
  async retry(key) {
    const upload = await this.#find(key);
    if (!upload) return;
    const { error: _, ...again } = upload;
    this.#failures.delete(key);
    if (!(await this.#storage.replaceUpload(key, again))) return;
    this.#learn(again);
    this.#tellOthers();
    this.#wake(again.toId);
  }

  /**
   * Uploads the file of a message again that was refused because the server has the file no more.
   *
   * @param {string} id the message's
   * @returns whether the file is still here; else all is as it was
   */
  async again(id) {
    const upload = await this.#storage.uploadAgain(id);
    if (!upload) return false;
    this.#known.set(upload.key, upload.toId);
    this.#tell("again", { id, upload });
    this.#client.outboxChanged();
    this.#tellOthers();
    this.#wake(upload.toId);
    return true;
  }

  /** Gives up an upload, under way or not. One that is a message already stays it. */
  async discard(key) {
    await this.#storage.removeUpload(key);
    this.#forget(key);
    this.#goOn();
    this.#tellOthers();
  }

  // What is to be done.

  #connected() {
    this.#failures.clear();
    this.#goOn();
    this.#look();
  }

  /** Tells of what waits, and of what does no longer. */
  async #look() {
    const waiting = await this.#storage.uploads().catch(() => null);
    if (!waiting || this.#ended.signal.aborted) return;
    const keys = new Set(waiting.map(({ key }) => key));
    for (const key of [...this.#known.keys()].filter((key) => !keys.has(key))) this.#forget(key);
    // What is under way may be a message by now.
    for (const upload of waiting.filter(({ key }) => !this.#underWay.has(key))) this.#learn(upload);
    for (const toId of new Set(waiting.map(({ toId }) => toId))) this.#wake(toId);
  }

  #learn(upload) {
    this.#known.set(upload.key, upload.toId);
    this.#tell("waiting", upload);
  }

  #forget(key) {
    this.#underWay.get(key)?.abort();
    const toId = this.#known.get(key);
    if (this.#known.delete(key)) this.#tell("gone", { key, toId });
  }

  async #find(key) {
    return (await this.#storage.uploads()).find((upload) => upload.key === key);
  }

  /** Sees to it that what there is for a user is uploaded. What is added meanwhile is seen to as well. */
  async #wake(toId) {
    this.#woken.add(toId);
    if (this.#working.has(toId) || !this.#canWork()) return;
    this.#working.add(toId);
    while (this.#canWork() && this.#woken.delete(toId)) {
      await this.#alone(toId, () => this.#work(toId)).catch(() => {});
    }
    this.#working.delete(toId);
  }

  #canWork() {
    return !this.#ended.signal.aborted && this.#client.state.state === "connected";
  }

  /** Does something while no other tab does the same. */
  async #alone(toId, act) {
    if (!this.#locks) return act();
    return this.#locks.request(`${this.#name} ${toId}`, { signal: this.#ended.signal }, act);
  }

  async #work(toId) {
    let pause = REPEAT_FIRST;
    while (this.#canWork()) {
      const all = await this.#storage.uploads();
      const upload = all.find((upload) => upload.toId === toId && !upload.error);
      if (!upload) return;
      const again = await this.#upload(upload);
      if (!again) {
        pause = REPEAT_FIRST;
        continue;
      }
      await this.#rest(Math.max(pause * (0.5 + Math.random() / 2), again.retryAfter ?? 0));
      pause = Math.min(pause * 2, REPEAT_LONGEST);
    }
  }

  // One upload.

  /** @returns what went wrong, where it is to be done again */
  async #upload(upload) {
    const { key, toId } = upload;
    const controller = new AbortController();
    this.#underWay.set(key, controller);
    try {
      const content = upload.content ?? (await this.#transfer(upload, controller.signal));
      if (controller.signal.aborted) return null;
      const message = await this.#client.send(toId, content, FILE, { upload: key });
      if (message) this.#known.delete(key);
      else this.#forget(key);
      this.#tellOthers();
      return null;
    } catch (error) {
      if (controller.signal.aborted) return null;
      this.#tellProgress({ key, toId, loaded: 0, total: upload.size });
      return this.#failed(upload, error);
    } finally {
      this.#underWay.delete(key);
    }
  }

  /** @returns the text of the message */
  async #transfer(upload, signal) {
    const { key, toId, blob, name } = upload;
    await checkReadable(blob);
    const onProgress = (loaded, total) => this.#tellProgress({ key, toId, loaded, total });
    const file = await this.#files.upload(blob, { name, onProgress, signal });
    const content = JSON.stringify(file);
    // There may be no message ID left: then this need not be done again.
    await this.#storage.replaceUpload(key, { ...upload, content });
    this.#tell("uploaded", { key, toId, file, blob });
    return content;
  }

  async #failed(upload, error) {
    const { key } = upload;
    if (error.status === TOKEN_REFUSED) {
      // The connection ends as well then, and another comes with another token.
      this.#client.check();
      return { retryAfter: REPEAT_LONGEST };
    }
    const failures = (this.#failures.get(key) ?? 0) + Number(error.retryAfter === undefined && this.#canWork());
    this.#failures.set(key, failures);
    const isFinal = error.retryable === false || failures >= FAILED_MOST;
    if (!isFinal) return error;
    await this.#setAside(upload, error);
    return null;
  }

  async #setAside({ key, toId, ...upload }, { code = "broken", message, retryable = true }) {
    const error = { code, message, retryable };
    await this.#storage.replaceUpload(key, { ...upload, key, toId, error });
    this.#tell("refused", { key, toId, error });
    this.#tellOthers();
  }

  // Pauses end early when there is a new connection, or nothing left to do.

  #rest(pause) {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, pause);
      this.#pauses.add(end);
    });
  }

  #goOn() {
    for (const end of [...this.#pauses]) end();
  }

  /** That something has changed; or of progress. */
  #tellOthers(progress = null) {
    if (!this.#ended.signal.aborted) this.#others?.postMessage(progress);
  }

  #tellProgress(progress) {
    this.#tell("progress", progress);
    this.#tellOthers(progress);
  }

  #tell(name, detail) {
    if (!this.#ended.signal.aborted) this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Folders look like files until one reads them, and what was chosen may have been moved since. */
async function checkReadable(blob) {
  try {
    await blob.slice(0, 1).arrayBuffer();
  } catch {
    throw new Unreadable();
  }
}

function newKey() {
  const digits = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0"));
  return `upload ${digits.join("")}`;
}
