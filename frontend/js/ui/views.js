import { api } from "../core/api.js"
import { h } from "../core/dom.js"
import { go } from "../core/router.js"
import { menu } from "./menu.js"
import { toast, toastError } from "./toast.js"

const PAGES = [["runs", "Runs"], ["compare", "Compare"]]

/** Named states of pages, each of which opens where it belongs. `state` gives that of the page shown, as it is kept. */
export function viewsMenu(state, signal) {
  const input = h("input", { class: "input", placeholder: "Name of this view", maxlength: 100, required: true, "aria-label": "Name of this view", autocomplete: "off" })
  const form = h("form", { class: "menu-row" }, input, h("button", { class: "button button-small" }, "Save"))
  const lists = h("div", { class: "menu-list" })
  const show = async () => {
    const views = await api.views().catch((error) => (toastError(error), []))
    const parts = PAGES.map(([page, title]) => [title, views.filter((view) => view.page === page)]).filter(([, some]) => some.length > 0)
    lists.replaceChildren(...parts.map(([title, some]) => h("section", { class: "menu-list" }, h("h3", { class: "muted small" }, title), some.map(row))))
    if (views.length === 0) lists.append(h("p", { class: "muted small" }, "No view has been named yet."))
  }
  const fill = async () => (await show(), h("div", { class: "menu-list" }, form, lists))
  const row = (view) => h("div", { class: "menu-row" }, h("a", { href: view.address, class: "cut", title: view.name, dir: "auto", onclick: (event) => open(event, view) }, view.name), h("button", { type: "button", class: "link-button small", "aria-label": `Delete the view ${view.name}`, onclick: () => remove(view) }, "Delete"))
  const open = (event, view) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    element.open = false
    go(view.address)
  }
  const remove = async (view) => {
    try {
      await api.removeView(view.id)
      toast(`The view ${view.name} is deleted.`, { undo: () => api.addView(view.name, view.state).catch(toastError) })
      input.focus()
      show()
    } catch (error) {
      toastError(error)
    }
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault()
    try {
      await api.addView(input.value, state())
      input.value = ""
      show()
    } catch (error) {
      toastError(error)
    }
  })
  const element = menu("Views", fill, signal)
  element.dataset.testid = "views-menu"
  return element
}
