import { h, setAttribute } from "../core/dom.js"
import { glyph } from "../ui/glyph.js"

/** A legend below the plot, a button a run: pressed means shown. `labelOf` gives a run's name, short. */
export function legend(runs, labelOf, isHidden, toggle) {
  const buttons = runs.map((run) =>
    h("button", { type: "button", class: "legend-entry", title: run.name, onclick: () => toggle(run.id) }, glyph(run, 10), h("span", { class: "cut" }, labelOf(run))),
  )
  const update = () => buttons.forEach((button, place) => setAttribute(button, "aria-pressed", String(!isHidden(runs[place].id))))
  return { buttons, update }
}
