/**
 * What a client must not forget, kept by the browser: it outlives the page, and all tabs of a user share it.
 */

import { MemoryStorage } from "./yanshu.js";

const VERSION = 1;
const IDS = "ids";
const OUTBOX = "outbox";

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
    return this.#act(OUTBOX, "readwrite", (outbox) => answer(outbox.add(message)));
  }

  replaceOut(id, message) {
    return this.#act(OUTBOX, "readwrite", async (outbox) => {
      const key = await answer(outbox.index("id").getKey(id));
      if (key !== undefined) outbox.put(message, key);
      return key !== undefined;
    });
  }

  removeOut(id) {
    return this.#act(OUTBOX, "readwrite", async (outbox) => {
      const key = await answer(outbox.index("id").getKey(id));
      if (key !== undefined) outbox.delete(key);
    });
  }

  /** Done when the disk has it: a message in the outbox may be the only copy there is. */
  async #act(name, mode, act) {
    const database = await this.#database();
    const transaction = database.transaction(name, mode, { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const [result] = await Promise.all([act(transaction.objectStore(name)), done]);
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
  opening.onupgradeneeded = () => {
    opening.result.createObjectStore(IDS, { keyPath: "id" }).createIndex("granted", "granted");
    // Keys that grow keep the order in which messages were written.
    const outbox = opening.result.createObjectStore(OUTBOX, { autoIncrement: true });
    outbox.createIndex("id", "id", { unique: true });
  };
  const database = await answer(opening);
  database.onclose = closed;
  database.onversionchange = () => {
    database.close();
    closed();
  };
  return database;
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
