/** Types of `uploads.js`: files that are kept until they are uploaded; what it does is said there. */

import type { Files, Uploaded } from "./files.js";
import type { Client, Outgoing, Storage, Upload } from "./yanshu.js";

export class Unreadable extends Error {
  code: "unreadable";
  retryable: false;
}

export interface UploadEvents {
  waiting: Upload;
  progress: { key: string; toId: string; loaded: number; total: number };
  refused: { key: string; toId: string; error: NonNullable<Outgoing["error"]> };
  uploaded: { key: string; toId: string; file: Uploaded; blob: Blob };
  again: { id: string; upload: Upload };
  gone: { key: string; toId: string };
}

export class Uploads extends EventTarget {
  constructor(client: Client, files: Files, storage: Storage, name?: string);
  stop(): void;
  add(toId: string, blob: Blob, name?: string): Promise<void>;
  retry(key: string): Promise<void>;
  again(id: string): Promise<boolean>;
  discard(key: string): Promise<void>;
  addEventListener<Name extends keyof UploadEvents>(
    name: Name,
    listener: (event: CustomEvent<UploadEvents[Name]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof UploadEvents>(
    name: Name,
    listener: (event: CustomEvent<UploadEvents[Name]>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    name: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
