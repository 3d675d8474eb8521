import { h } from "../core/dom.js"
import { go } from "../core/router.js"

/** What stands where no run is: why, and what to do next. */
export function emptyRuns({ isTrash, isFiltered }, example, clear) {
  if (isFiltered) {
    return h("div", { class: "empty card" }, h("h2", {}, isTrash ? "No run in the trash matches this filter" : "No run matches this filter"), h("p", { class: "muted" }, `A word alone is looked for in the name. An example of more: ${example}`), h("button", { type: "button", class: "button", onclick: clear }, "Show all runs"))
  }
  if (isTrash) return h("div", { class: "empty card" }, h("h2", {}, "The trash is empty"), h("p", { class: "muted" }, "Runs that you delete wait here until they are restored or deleted for good."), h("a", { class: "button", href: "/" }, "Back to the runs"))
  return h(
    "div",
    { class: "empty card", "data-testid": "empty" },
    h("h2", {}, "No runs yet"),
    h("p", { class: "muted" }, "Launch the demonstration pair: the same small network trained with exact gradients and with dilated ones, on images that come with the program. Both are done in a few minutes, and their curves grow here."),
    h("button", { type: "button", class: "button button-main", onclick: () => go("#launch") }, "Launch the first runs"),
  )
}

/** What is shown for the blink before the first rows are there. */
export function skeletonRows() {
  return h("div", { class: "card late runs-skeleton", "aria-hidden": "true" }, Array.from({ length: 8 }, () => h("span", { class: "skeleton skeleton-line" })))
}
