/** Types of `yanshu.js`, the reference client; what it does is said there, what goes over the wire in docs/PROTOCOL.md. */

export const TEXT: 0;
export const FILE: 1;
export const SENDING: 0;
export const STORED: 1;
export const READ: 2;
export const MESSAGE_BYTES: number;

export type Type = 0 | 1;
export type Status = 0 | 1 | 2;

export interface Message {
  /** `MSG` and a decimal number of at least six digits. */
  id: string;
  fromId: string;
  toId: string;
  type: Type;
  /** Text, or for a file the JSON that says which. */
  message: string;
  status: Status;
  /** `yyyy-MM-dd HH:mm:ss`, the sender's own; this client and the server write UTC. */
  time: string;
}

/** A message that is not acknowledged. */
export interface Outgoing extends Message {
  /** Why the server has refused it. */
  error?: { code: string; message: string; retryable: boolean };
  /** The key of the upload that it came of. */
  upload?: string;
}

/** A file that is to be uploaded, and then sent. */
export interface Upload {
  key: string;
  toId: string;
  name: string;
  /** In bytes. */
  size: number;
  mime: string;
  /** When it was added, `yyyy-MM-dd HH:mm:ss` in UTC. */
  time: string;
  blob: Blob;
  /** Where it is uploaded already: the text of its message. */
  content?: string;
  /** Why it is not uploaded. */
  error?: Outgoing["error"];
}

export interface Contact {
  toId: string;
  toName: string;
}

export interface State {
  state: "stopped" | "connecting" | "connected" | "waiting";
  /** While waiting: when the next attempt is, in milliseconds since 1970. */
  retryAt?: number;
  /** With what the connection was closed. */
  code?: number;
  /** Why the server does not take this user. */
  error?: Refused;
}

export interface Events {
  state: State;
  message: Message;
  written: Outgoing;
  status: { id: string; fromId: string; toId: string; status: Status };
  refused: { id: string; toId: string; error: NonNullable<Outgoing["error"]> };
  reissued: { id: string; toId: string; newId: string };
  gone: { id: string; toId?: string };
}

export class Refused extends Error {
  code: string;
  retryable: boolean;
}

export class NoIdLeft extends Error {}

export class Unsendable extends Error {}

export class Stopped extends Error {}

/** What a client must not forget. Each act is done as a whole or not at all, also among several tabs. */
export interface Storage {
  /** Takes the oldest ID granted after `since` (milliseconds since 1970), for good. */
  takeId(since: number): Promise<string | undefined>;
  addIds(ids: string[], granted: number): Promise<void>;
  countIds(since: number): Promise<number>;
  /** In the order in which they were put there. */
  outbox(): Promise<Outgoing[]>;
  /** One of an upload only where that waits still, which it does no longer then; says whether it did. */
  putOut(message: Outgoing): Promise<boolean | void>;
  /** Puts a message in the place of the one with this ID, where that is still there; says whether it was. */
  replaceOut(id: string, message: Outgoing): Promise<boolean>;
  /** With the upload that it came of. */
  removeOut(id: string): Promise<void>;
  /** Those that wait, in the order in which they were put there. */
  uploads(): Promise<Upload[]>;
  putUpload(upload: Upload): Promise<void>;
  /** Puts an upload in the place of the one with this key, where that waits still; says whether it does. */
  replaceUpload(key: string, upload: Upload): Promise<boolean>;
  /** Where it waits still. */
  removeUpload(key: string): Promise<void>;
  /** Takes a message out, and lets the upload that it came of wait again, where that is still there. */
  uploadAgain(id: string): Promise<Upload | undefined>;
}

export class MemoryStorage implements Storage {
  takeId(since: number): Promise<string | undefined>;
  addIds(ids: string[], granted: number): Promise<void>;
  countIds(since: number): Promise<number>;
  outbox(): Promise<Outgoing[]>;
  putOut(message: Outgoing): Promise<boolean>;
  replaceOut(id: string, message: Outgoing): Promise<boolean>;
  removeOut(id: string): Promise<void>;
  uploads(): Promise<Upload[]>;
  putUpload(upload: Upload): Promise<void>;
  replaceUpload(key: string, upload: Upload): Promise<boolean>;
  removeUpload(key: string): Promise<void>;
  uploadAgain(id: string): Promise<Upload | undefined>;
}

export interface Options {
  url: string | URL;
  userId: string;
  token?: string | (() => string | Promise<string>);
  storage?: Storage;
  /** Of the storage, where several tabs share it. */
  name?: string;
  WebSocket?: typeof WebSocket;
}

export class Client extends EventTarget {
  constructor(options: Options);
  readonly userId: string;
  readonly state: State;
  start(): void;
  hurry(): void;
  check(): void;
  stop(): void;
  send(toId: string, content: string, type?: Type): Promise<Message>;
  send(toId: string, content: string, type: Type, options: { upload?: string }): Promise<Message | null>;
  retry(id: string): Promise<void>;
  discard(id: string): Promise<void>;
  outboxChanged(): void;
  markRead(message: Pick<Message, "id" | "fromId">): void;
  hasReported(id: string): boolean;
  contacts(): Promise<Contact[]>;
  history(which?: { peer?: string; before?: string; size?: number }): Promise<Message[]>;
  newest(
    isKnown: (id: string) => boolean,
    which?: { peer?: string; size?: number; most?: number },
  ): Promise<{ messages: Message[]; met: boolean; begins: boolean }>;
  addEventListener<Name extends keyof Events>(
    name: Name,
    listener: (event: CustomEvent<Events[Name]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof Events>(
    name: Name,
    listener: (event: CustomEvent<Events[Name]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
