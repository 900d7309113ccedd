/** Elements that several views are made of. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with its properties, and what is in it. */
export function make(name, properties = {}, ...content) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...content);
  return element;
}

/** Whether one touches what one means: a field with the focus has the keyboard cover half of the page then. */
export const isTouched = () => matchMedia("(pointer: coarse)").matches;

/** A sign for those who see it. */
export function sign(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.ariaHidden = "true";
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** Shows a picture. What is shown stays when its address is given up, and nothing else can be done with that. */
export function showPicture(image, blob) {
  const url = URL.createObjectURL(blob);
  const revoke = () => URL.revokeObjectURL(url);
  image.addEventListener("load", revoke, { once: true });
  image.addEventListener("error", revoke, { once: true });
  image.src = url;
}

/** Has the browser save a file. It is never opened here: what is in it could be anything. */
export function save(blob, name) {
  const url = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  make("a", { href: url, download: name }).click();
  // A browser may ask first where to.
  setTimeout(() => URL.revokeObjectURL(url), 60e3);
}
