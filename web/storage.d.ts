import type { Storage } from "./yanshu.js";

/** Opens what is kept under a name, which is a user's at one server, for all tabs of a browser. */
export function openStorage(name: string): Promise<Storage>;
