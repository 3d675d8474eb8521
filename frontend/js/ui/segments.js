import { h, setAttribute } from "../core/dom.js"

/** One of several, as pressed buttons in a frame: `options` are `[value, word]`; `choose` hears of another choice. */
export function segments(label, options, chosen, choose) {
  const buttons = options.map(([value, word]) => h("button", { type: "button", "data-value": value, onclick: () => press(value) }, word))
  const element = h("div", { class: "segments segments-small", role: "group", "aria-label": label }, buttons)
  const mark = (value) => buttons.forEach((button) => setAttribute(button, "aria-pressed", String(button.dataset.value === value)))
  const press = (value) => {
    if (element.querySelector("[aria-pressed=true]")?.dataset.value === value) return
    mark(value)
    choose(value)
  }
  mark(chosen)
  return { element, mark }
}
