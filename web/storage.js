/**
 * What a client must not forget, kept by the browser: it outlives the page, and all tabs of a user share it.
 */

import { MemoryStorage } from "./yanshu.js";

const VERSION = 2;
const IDS = "ids";
const OUTBOX = "outbox";
const UPLOADS = "uploads";
/** What is uploaded, apart from what is known of it: that changes, and they are large. */
const BLOBS = "blobs";

/**
 * Opens what is kept under a name, which is a user's at one server; or something that forgets with the page,
 * where the browser keeps nothing (some do not in private windows).
 *
 * @param {string} name
 * @returns {Promise<MemoryStorage | BrowserStorage>}
 */
export async function openStorage(name) {
  const storage = new BrowserStorage(`yanshu ${name}`);
  try {
    await storage.countIds(0);
    return storage;
  } catch {
    return new MemoryStorage();
  }
}

/** As {@link MemoryStorage}. Each act is one transaction, so that two tabs never take the same ID. */
class BrowserStorage {
  #name;
  #opened = null;

  constructor(name) {
    this.#name = name;
  }

  takeId(since) {
    return this.#act(IDS, "readwrite", async (ids) => {
      const granted = ids.index("granted");
      const lapsed = await answer(granted.getAllKeys(IDBKeyRange.upperBound(since)));
      for (const id of lapsed) ids.delete(id);
      const [oldest] = await answer(granted.getAllKeys(IDBKeyRange.lowerBound(since, true), 1));
      if (oldest) ids.delete(oldest);
      return oldest;
    });
  }

  addIds(ids, granted) {
    return this.#act(IDS, "readwrite", (store) => ids.forEach((id) => store.put({ id, granted })));
  }

  countIds(since) {
    const after = IDBKeyRange.lowerBound(since, true);
    return this.#act(IDS, "readonly", (ids) => answer(ids.index("granted").count(after)));
  }

  outbox() {
    return this.#act(OUTBOX, "readonly", (outbox) => answer(outbox.getAll()));
  }

  putOut(message) {
    return this.#act([OUTBOX, UPLOADS], "readwrite", async (outbox, uploads) => {
      const { upload } = message;
      const end = (kept) => ({ ...kept, isWaiting: false });
      if (upload && !(await replace(uploads, upload, isWaiting, end))) return false;
      outbox.add(message);
      return true;
    });
  }

  replaceOut(id, message) {
    return this.#act(OUTBOX, "readwrite", (outbox) => replace(outbox, id, () => true, () => message));
  }

  removeOut(id) {
    return this.#act([OUTBOX, UPLOADS, BLOBS], "readwrite", async (outbox, uploads, blobs) => {
      const message = await take(outbox, id);
      if (!message?.upload) return;
      await take(uploads, message.upload);
      blobs.delete(message.upload);
    });
  }

  uploads() {
    return this.#act([UPLOADS, BLOBS], "readonly", async (uploads, blobs) => {
      const waiting = (await answer(uploads.getAll())).filter(isWaiting);
      return Promise.all(waiting.map((kept) => withBlob(kept, blobs)));
    });
  }

  putUpload({ blob, ...upload }) {
    return this.#act([UPLOADS, BLOBS], "readwrite", (uploads, blobs) => {
      uploads.add({ ...upload, isWaiting: true });
      blobs.add(blob, upload.key);
    });
  }

  replaceUpload(key, { blob: _, ...upload }) {
    return this.#act(UPLOADS, "readwrite", (uploads) =>
      replace(uploads, key, isWaiting, () => ({ ...upload, isWaiting: true })),
    );
  }

  removeUpload(key) {
    return this.#act([UPLOADS, BLOBS], "readwrite", async (uploads, blobs) => {
      if (await take(uploads, key, isWaiting)) blobs.delete(key);
    });
  }

  uploadAgain(id) {
    return this.#act([OUTBOX, UPLOADS, BLOBS], "readwrite", async (outbox, uploads, blobs) => {
      const { value: message } = await find(outbox, id);
      const { value: kept } = await find(uploads, message?.upload ?? "");
      if (!kept) return undefined;
      await take(outbox, id);
      const { content: _, error: __, ...again } = await take(uploads, kept.key);
      // It is the newest now.
      uploads.add({ ...again, isWaiting: true });
      return withBlob(again, blobs);
    });
  }

  /** Done when the disk has it: a message in the outbox may be the only copy there is. */
  async #act(names, mode, act) {
    const database = await this.#database();
    const transaction = database.transaction(names, mode, { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const stores = [names].flat().map((name) => transaction.objectStore(name));
    const [result] = await Promise.all([act(...stores), done]);
    return result;
  }

  /** Browsers close a database when they clear data, and some when a page sleeps. */
  #database() {
    const forget = () => (this.#opened = null);
    this.#opened ??= open(this.#name, forget).catch((error) => {
      forget();
      throw error;
    });
    return this.#opened;
  }
}

async function open(name, closed) {
  const opening = indexedDB.open(name, VERSION);
  opening.onupgradeneeded = ({ oldVersion }) => {
    const database = opening.result;
    // Keys that grow keep the order in which things were put there.
    const create = (name, id) =>
      database.createObjectStore(name, { autoIncrement: true }).createIndex("id", id, { unique: true });
    if (oldVersion < 1) {
      database.createObjectStore(IDS, { keyPath: "id" }).createIndex("granted", "granted");
      create(OUTBOX, "id");
    }
    create(UPLOADS, "key");
    database.createObjectStore(BLOBS);
  };
  const database = await answer(opening);
  database.onclose = closed;
  database.onversionchange = () => {
    database.close();
    closed();
  };
  return database;
}

/** Of an upload: whether there is no message of it. */
function isWaiting(upload) {
  return upload.isWaiting;
}

async function withBlob({ isWaiting: _, ...upload }, blobs) {
  return { ...upload, blob: await answer(blobs.get(upload.key)) };
}

/** What has an ID: its key in the store, and itself. */
async function find(store, id) {
  const key = await answer(store.index("id").getKey(id));
  return key === undefined ? {} : { key, value: await answer(store.get(key)) };
}

/** Puts something in the place of what has this ID, where that is meant. @returns whether it was */
async function replace(store, id, isMeant, by) {
  const { key, value } = await find(store, id);
  const isFound = key !== undefined && isMeant(value);
  if (isFound) store.put(by(value), key);
  return isFound;
}

/** Takes out what has this ID, where that is meant. @returns what was */
async function take(store, id, isMeant = () => true) {
  const { key, value } = await find(store, id);
  if (key === undefined || !isMeant(value)) return undefined;
  store.delete(key);
  return value;
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
