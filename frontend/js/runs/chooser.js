import { h } from "../core/dom.js"
import { words } from "../core/format.js"
import { store } from "../core/store.js"
import { menu } from "../ui/menu.js"
import { DEFAULT_COLUMNS, columnGroups, columnOf } from "./columns.js"

/** The menu in which columns are chosen; `change` hears of their names, in the order of the table. */
export function columnChooser(chosen, change, signal) {
  const fill = () => {
    const config = store.newest[0]?.config ?? {}
    const names = new Set(chosen())
    const box = (name) => {
      const input = h("input", { type: "checkbox", class: "check", onchange: () => change(ordered(name, input.checked)) })
      input.checked = names.has(name)
      return h("label", { class: "tick" }, input, columnOf(name).word === name ? words(name) : columnOf(name).word)
    }
    const ordered = (name, isOn) => {
      if (isOn) names.add(name)
      else names.delete(name)
      const all = ["name", ...columnGroups(config).flatMap(([, group]) => group)]
      return all.filter((one) => one === "name" || names.has(one))
    }
    const groups = columnGroups(config).map(([title, group]) => h("fieldset", { class: "menu-group" }, h("legend", {}, title), group.map(box)))
    const again = h("button", { type: "button", class: "link-button", onclick: () => (change(DEFAULT_COLUMNS), element.querySelector(".menu-panel").replaceChildren(fill())) }, "As they were at first")
    return h("div", { class: "menu-columns" }, groups, again)
  }
  const element = menu("Columns", fill, signal)
  element.dataset.testid = "columns"
  return element
}
