import { h } from "../core/dom.js"
import { plural } from "../core/format.js"
import { store } from "../core/store.js"
import { dialog } from "./dialog.js"

const MOST = 200 // runs named

/** Lists the runs with which something could not be done, and why: `refused` are `{id, message}`. */
export function showRefused(refused) {
  const rows = refused.slice(0, MOST).map(({ id, message }) => {
    const name = store.get(id)?.name
    return h("li", {}, name && h("a", { class: "run-link cut", href: `/runs/${id}`, dir: "auto", title: name }, name), h("span", { class: "muted" }, message))
  })
  const more = refused.length > MOST ? h("p", { class: "muted" }, `And ${refused.length - MOST} more.`) : null
  const panel = dialog(`Not possible with ${plural(refused.length, "run")}`, "dialog-medium", h("div", { class: "dialog-form" }, h("ul", { class: "refused-list" }, rows), more))
  panel.addEventListener("click", (event) => event.target.closest("a") && panel.close())
  panel.showModal()
}
