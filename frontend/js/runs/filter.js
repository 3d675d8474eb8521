import { h, on, setText } from "../core/dom.js"
import { dialog } from "../ui/dialog.js"
import { icon } from "../ui/icons.js"

const QUIET_TYPING = 250 // milliseconds after the last key before the filter is asked for
export const EXAMPLE = "dataset = digits and test_accuracy > 95%"
const WAYS = [
  ["pair", "a word alone is looked for in the name; “two words” in quotes"],
  [EXAMPLE, "two conditions that must both hold; or and not work too, and parentheses"],
  ["epsilon in 0.1..0.5", "a range, its ends included; 0.1.. and ..0.5 are open at one end"],
  ["status in (failed, stopped)", "one of several; not in: none of them"],
  ["tag = paper", "has the tag; tag ~ pap has one that contains it; the same for quirk"],
  ["notes ~ 'as published'", "text contains it; !~ does not"],
  ["created > -7d", "launched in the last seven days; also -12h, today, 2026-11-25, 2026-11-25T14:30 (UTC)"],
  ["duration > 10min and disk > 1GB", "with units"],
  ["width = 32 xla = no relation = none", "any field of the configuration; side by side means and"],
]

/** The field in which runs are filtered. `change` hears of a new filter; `complain` shows what is wrong with it. */
export function filterField(value, signal, change) {
  const input = h("input", { class: "input filter-input", type: "search", id: "filter", placeholder: EXAMPLE, "aria-label": "Filter the runs", "aria-describedby": "filter-problem", spellcheck: "false", autocomplete: "off" })
  const problem = h("p", { class: "field-error", id: "filter-problem", role: "alert" })
  const help = h("button", { type: "button", class: "filter-help", "aria-label": "How to filter", title: "How to filter", onclick: showWays }, "?")
  input.value = value
  let typing = 0
  on(input, "input", signal, () => {
    clearTimeout(typing)
    typing = setTimeout(() => change(input.value.trim()), QUIET_TYPING)
  })
  on(input, "keydown", signal, (event) => event.key === "Escape" && input.blur())
  const element = h("div", { class: "filter" }, icon("search"), input, h("kbd", { class: "key hint-keys", "aria-hidden": "true" }, "/"), help)
  const complain = (message) => {
    setText(problem, message)
    if (message) input.setAttribute("aria-invalid", "true")
    else input.removeAttribute("aria-invalid")
  }
  return { element, input, problem, complain }
}

function showWays() {
  const rows = WAYS.map(([text, what]) => [h("dt", {}, h("code", {}, text)), h("dd", { class: "muted" }, what)])
  dialog("How to filter", "dialog-medium", h("dl", { class: "way-list" }, rows)).showModal()
}
