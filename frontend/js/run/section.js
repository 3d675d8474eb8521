import { h } from "../core/dom.js"

/** A part of the run page with a heading, a sentence on what it shows, and an address of its own (`#gradients`). */
export function section(id, title, lead, ...content) {
  const head = h("div", { class: "section-head" }, h("h2", { id: `${id}-title`, tabindex: -1 }, title), lead && h("p", { class: "muted section-lead" }, lead))
  return h("section", { class: "run-section", id, "aria-labelledby": `${id}-title`, "data-testid": `section-${id}` }, head, content)
}

/** What stands in a section of which this run has nothing, because nobody asked for it. */
export function notAsked(run, field, what) {
  return h("p", { class: "card not-asked" }, h("span", {}, h("code", {}, field), ` is 0: ${what}`), h("a", { class: "button button-small", href: `#launch=${run.id}` }, "Clone with another value"))
}
