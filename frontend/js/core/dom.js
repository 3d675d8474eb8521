/**
 * An element. Children are elements or text; text stays text, whatever a user has typed.
 * Attributes: `class`, `aria-…`, `data-…` and so on as in HTML; true sets an empty one, false and null leave it out;
 * `on…` takes a listener; `vars` sets custom properties of CSS.
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)
}

/** Changes the text of an element only if it is another: a reader's selection survives. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Sets or removes an attribute, if it is another. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name)
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value === true ? "" : value)
}

/** Calls `listener` until the signal is aborted. */
export function on(target, type, signal, listener) {
  target.addEventListener(type, listener, { signal })
}

/** Whether keys typed now belong to a field. */
export function isTyping(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "vars") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text)
    else setAttribute(element, name, value)
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false))
  return element
}
