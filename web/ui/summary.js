/** A message in one line: for the list, notifications, and what is read out. */

import { fileOf, PICTURES } from "../files.js";
import { text } from "./text.js";

const LONGEST = 200;

export function summary(message) {
  const file = message.waiting ?? fileOf(message);
  if (!file) return message.message.slice(0, LONGEST);
  if (PICTURES.includes(file.mime)) return text("picture");
  // Isolated: a name of another direction does not turn what stands around it (UAX #9).
  return `📎 \u2068${file.name}\u2069`;
}
