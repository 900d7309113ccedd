/**
 * Files, as the reference client sends and reads them: HTTP beside the WebSocket of `yanshu.js`. A file is uploaded,
 * and the server's answer is the text of a message of type 1. It has no dependency, knows nothing of pages, and runs
 * in browsers and in Node.js.
 *
 * ```js
 * const files = new Files({ url: "http://127.0.0.1:8080/", userId: "HK0001" });
 * const file = await files.upload(blob, { name: "photo.jpg" });
 * await client.send("HK0002", JSON.stringify(file), FILE);
 * ```
 *
 * What comes in a message was written by whoever sent it. {@link fileOf} takes nothing on trust, and says of which
 * file the message is, or that it is of none.
 */

import { FILE } from "./yanshu.js";

/** Pictures that a page may show. Everything else may carry a script, or is shown by no browser. */
export const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

const ID = /^[0-9a-f]{32}$/;
const MIME = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100}$/;
const NAME_BYTES = 255;
/** Parts of a path, controls, and what changes the direction or the place of the text around it (UAX #9 §2). */
const NOT_IN_A_NAME =
  /[/\\\p{Cc}\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/u;
const SIDE_MOST = 1e6;

const TOKEN_REFUSED = 401;

/** What the server answered in place of what was asked for. `code` is one of those in docs/PROTOCOL.md. */
export class Problem extends Error {
  constructor({ code, detail, retryable, status, retryAfter }) {
    super(detail);
    this.name = "Problem";
    this.code = code;
    this.retryable = retryable;
    this.status = status;
    /** Milliseconds after which the server wants to be asked again. */
    this.retryAfter = retryAfter;
  }
}

/** The files of one server, for one user. */
export class Files {
  #options;
  #token;

  /**
   * @param {object} options
   * @param {string | URL} options.url where the server is: what its paths are relative to, with a slash at the end
   * @param {string} options.userId who asks
   * @param {string | (() => string | Promise<string>)} [options.token] shown to a server that asks for one; a
   *   function is asked for a fresh one when the server refuses the one before
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Uploads a file. What is interrupted has left nothing there, and begins anew.
   *
   * @param {Blob} blob
   * @param {object} [options]
   * @param {string} [options.name] what it is called; a `File` has a name of its own
   * @param {(loaded: number, total: number) => void} [options.onProgress] told where there is an `XMLHttpRequest`:
   *   `fetch` has no progress of what it sends
   * @param {AbortSignal} [options.signal] gives it up
   * @returns what the server says of the file: with `JSON.stringify`, the text of the message
   * @throws {Problem} the server refuses it
   */
  async upload(blob, { name = blob.name ?? "file", onProgress, signal } = {}) {
    const isWatched = onProgress && globalThis.XMLHttpRequest;
    const send = isWatched ? (url, init) => sendWatched(url, init, onProgress) : fetch;
    const headers = { "Content-Type": blob.type || "application/octet-stream" };
    const answer = await this.#ask("files", { name: name.toWellFormed?.() ?? name }, send, {
      method: "POST",
      headers,
      body: blob,
      signal,
    });
    return answer.json();
  }

  /**
   * Fetches a file, or what is shown of a picture before it is asked for.
   *
   * @param {string} id
   * @param {{ thumbnail?: boolean, signal?: AbortSignal }} [options]
   * @returns {Promise<Response>}
   * @throws {Problem} `unknown_file`: it is not there (any more), or not for this user
   */
  async fetch(id, { thumbnail = false, signal } = {}) {
    if (!ID.test(id)) throw new TypeError("no ID of a file");
    return this.#ask(`files/${id}${thumbnail ? "/thumbnail" : ""}`, {}, fetch, { signal });
  }

  /** As {@link Files#fetch}, with all that is in it. `onProgress` is told how many bytes of it are there. */
  async read(id, { onProgress = () => {}, ...options } = {}) {
    const answer = await this.fetch(id, options);
    const type = answer.headers.get("Content-Type") ?? "";
    const chunks = [];
    let loaded = 0;
    // Whatever goes wrong in between, the rest is not fetched then.
    for await (const chunk of chunksOf(answer.body)) {
      chunks.push(chunk);
      loaded += chunk.length;
      onProgress(loaded);
    }
    return new Blob(chunks, { type });
  }

  /** Asks as this user, and once more where the token was too old. */
  async #ask(path, query, send, init) {
    const { url, userId, token } = this.#options;
    const fields = Object.entries({ fromId: userId, ...query });
    const asked = new URL(path, url);
    asked.search = fields.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    const canRenew = typeof token === "function" && this.#token !== undefined;
    const answer = await this.#askWithToken(asked, send, init);
    if (answer.ok) return answer;
    if (answer.status === TOKEN_REFUSED) this.#token = undefined;
    if (answer.status !== TOKEN_REFUSED || !canRenew) throw await problem(answer);
    const again = await this.#askWithToken(asked, send, init);
    if (!again.ok) throw await problem(again);
    return again;
  }

  async #askWithToken(asked, send, init) {
    const { token } = this.#options;
    this.#token ??= typeof token === "function" ? await token() : token;
    const headers = { ...init.headers };
    if (this.#token !== undefined) headers.Authorization = `Bearer ${this.#token}`;
    return send(asked, { ...init, headers });
  }
}

/**
 * Which file of this server a message is of: `{ id, name, size, mime, width?, height?, hasThumbnail }`, or nothing
 * where it is of none. Where the file is to be had follows from its ID alone.
 *
 * @param {{ type: number, message: string }} message
 */
export function fileOf({ type, message }) {
  const said = type === FILE ? parsed(message) : null;
  if (said === null || typeof said !== "object") return null;
  const { id, url, name, size, width, height, thumbnail } = said;
  if (typeof id !== "string" || !ID.test(id) || url !== `/files/${id}`) return null;
  const [mime] = typeof said.mime === "string" ? said.mime.split(";") : [""];
  if (!isName(name) || !MIME.test(mime) || !Number.isSafeInteger(size) || size < 0) return null;
  const file = { id, name, size, mime: mime.toLowerCase() };
  const hasSides = isSide(width) && isSide(height);
  const hasThumbnail = hasSides && thumbnail === `${url}/thumbnail`;
  return hasSides ? { ...file, width, height, hasThumbnail } : { ...file, hasThumbnail };
}

/** Whether a page shows the file itself, and not only what it is called. */
export function isPicture({ mime, hasThumbnail }) {
  return hasThumbnail && PICTURES.includes(mime);
}

/** Not all browsers can go through a stream by themselves. */
async function* chunksOf(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isName(name) {
  if (typeof name !== "string" || NOT_IN_A_NAME.test(name) || /^[.\s]*$/.test(name)) return false;
  return new TextEncoder().encode(name).length <= NAME_BYTES;
}

function isSide(pixels) {
  return Number.isInteger(pixels) && pixels > 0 && pixels <= SIDE_MOST;
}

/** What an answer that is none says. One that stands before the server may have given it, in words of its own. */
async function problem(answer) {
  const { status } = answer;
  const said = parsed(await answer.text().catch(() => "")) ?? {};
  const seconds = Number(answer.headers.get("Retry-After") ?? NaN);
  const isPassing = status >= 500 || status === 408 || status === 429;
  return new Problem({
    status,
    code: typeof said.code === "string" ? said.code : `http_${status}`,
    detail: typeof said.detail === "string" ? said.detail : `the server answered ${status}`,
    retryable: typeof said.retryable === "boolean" ? said.retryable : isPassing,
    retryAfter: seconds >= 0 ? seconds * 1000 : undefined,
  });
}

/** As `fetch`, and tells how much of the body has left. */
function sendWatched(url, { method, headers, body, signal }, onProgress) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = new XMLHttpRequest();
    request.open(method, url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    const abort = () => request.abort();
    signal?.addEventListener("abort", abort);
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total);
    request.onload = () => {
      const passed = ["Retry-After", "Content-Type"].filter((name) => request.getResponseHeader(name) !== null);
      const kept = passed.map((name) => [name, request.getResponseHeader(name)]);
      resolve(new Response(request.responseText || null, { status: request.status, headers: kept }));
    };
    request.onerror = () => reject(new TypeError("the connection broke"));
    request.onabort = () => reject(signal.reason);
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    request.send(body);
  });
}
