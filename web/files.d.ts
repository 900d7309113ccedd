/** Types of `files.js`, the part of the reference client that is for files; what it does is said there. */

import type { Message } from "./yanshu.js";

export const PICTURES: readonly string[];

/** What the server answers an upload with: as JSON, the text of a message of type 1. */
export interface Uploaded {
  /** 32 hexadecimal digits in lower case. */
  id: string;
  name: string;
  /** In bytes. */
  size: number;
  mime: string;
  sha256: string;
  url: string;
  /** Of a picture, as it is shown. */
  width?: number;
  height?: number;
  thumbnail?: string;
}

/** What a message says of its file, as far as it can be believed. */
export interface File {
  id: string;
  name: string;
  size: number;
  mime: string;
  width?: number;
  height?: number;
  hasThumbnail: boolean;
}

export class Problem extends Error {
  code: string;
  retryable: boolean;
  status: number;
  retryAfter?: number;
}

export interface FilesOptions {
  url: string | URL;
  userId: string;
  token?: string | (() => string | Promise<string>);
}

export class Files {
  constructor(options: FilesOptions);
  upload(
    blob: Blob,
    options?: { name?: string; onProgress?: (loaded: number, total: number) => void; signal?: AbortSignal },
  ): Promise<Uploaded>;
  fetch(id: string, options?: { thumbnail?: boolean; signal?: AbortSignal }): Promise<Response>;
  read(
    id: string,
    options?: { thumbnail?: boolean; onProgress?: (loaded: number) => void; signal?: AbortSignal },
  ): Promise<Blob>;
}

export function fileOf(message: Pick<Message, "type" | "message">): File | null;

export function isPicture(file: Pick<File, "mime" | "hasThumbnail">): boolean;
