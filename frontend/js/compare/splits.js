import { h, setAttribute } from "../core/dom.js"

/** Buttons for the splits that are shown; one always is. */
export function splitToggles(shown, change) {
  const chosen = new Set(shown)
  const buttons = ["test", "train"].map((split) => {
    const button = h("button", { type: "button", "aria-pressed": String(chosen.has(split)) }, h("span", { class: `split-${split}` }, split))
    button.addEventListener("click", () => {
      if (chosen.has(split) && chosen.size === 1) return
      if (!chosen.delete(split)) chosen.add(split)
      setAttribute(button, "aria-pressed", String(chosen.has(split)))
      change(["test", "train"].filter((name) => chosen.has(name)))
    })
    return button
  })
  return h("div", { class: "segments", role: "group", "aria-label": "Splits shown" }, buttons)
}
