import { h, setAttribute } from "../core/dom.js"
import { glyph } from "../ui/glyph.js"

/** A legend below the plot, a button a run: pressed means shown. */
export function legend(runs, isHidden, toggle) {
  return runs.map((run) => {
    const button = h(
      "button",
      { type: "button", class: "legend-entry", "aria-pressed": String(!isHidden(run.id)), title: run.name },
      glyph(run, 10),
      h("span", { class: "cut" }, run.name),
    )
    button.addEventListener("click", () => {
      toggle(run.id)
      setAttribute(button, "aria-pressed", String(!isHidden(run.id)))
    })
    return button
  })
}
