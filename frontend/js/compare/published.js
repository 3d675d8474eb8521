import { api } from "../core/api.js"
import { h } from "../core/dom.js"

/** A choice of published curves to lay under the runs; none at first. */
export function publishedChoice(shown, signal, change) {
  const select = h("select", { class: "select published", "aria-label": "Published curve", "data-testid": "published" }, h("option", { value: "" }, "no published curve"))
  select.addEventListener("change", () => change(select.value))
  fill(select, shown, signal)
  return select
}

async function fill(select, shown, signal) {
  const references = await api.references(signal).catch(() => [])
  select.append(...references.map(({ name, title }) => h("option", { value: name }, title)))
  select.value = references.some(({ name }) => name === shown) ? shown : ""
}
