import { api } from "../core/api.js"
import { h, on } from "../core/dom.js"
import { go } from "../core/router.js"
import { toast, toastError } from "../ui/toast.js"

const FILES = { csv: "CSV, for spreadsheets", json: "JSON", parquet: "Parquet, for data frames", html: "Report, one HTML file" }

/** What can be taken away: tables, a report, and each chart's picture. `charts` gives name, title and chart. */
export function exportMenu(query, charts, signal) {
  const list = h("div", { class: "menu-list" })
  const fill = () => {
    const search = new URLSearchParams(query()).toString()
    const files = Object.entries(FILES).map(([kind, text]) => h("a", { href: `/api/exports/${kind}?${search}`, download: true }, text))
    const pictures = charts().map(([name, title, chart]) => h("div", { class: "menu-row" }, h("span", {}, title), ["png", "svg"].map((format) => h("button", { type: "button", class: "link-button", onclick: () => chart.save(format, `comparison-${name}`).catch(toastError), "aria-label": `${title} as ${format.toUpperCase()}` }, format.toUpperCase()))))
    list.replaceChildren(h("p", { class: "muted small" }, "Data"), ...files, h("p", { class: "muted small" }, "Pictures"), ...pictures)
  }
  return menu("Export", "export", list, fill, signal)
}

/** Named states of this page. `state` gives the present one, as it stands in the address. */
export function viewsMenu(state, signal) {
  const list = h("div", { class: "menu-list" })
  const input = h("input", { class: "input", placeholder: "Name of this view", maxlength: 100, "aria-label": "Name of this view" })
  const fill = async () => {
    const views = await api.views().catch((error) => (toastError(error), []))
    const rows = views.map((view) => h("div", { class: "menu-row" }, h("a", { href: `/compare?${view.state}`, class: "cut", title: view.name, onclick: (event) => open(event, view) }, view.name), h("button", { type: "button", class: "link-button", "aria-label": `Delete the view ${view.name}`, onclick: () => remove(view) }, "Delete")))
    list.replaceChildren(form, ...(rows.length ? rows : [h("p", { class: "muted small" }, "No view has been named yet.")]))
  }
  const open = (event, view) => {
    event.preventDefault()
    element.open = false
    go(`/compare?${view.state}`)
  }
  const remove = async (view) => {
    try {
      await api.removeView(view.id)
      toast(`The view ${view.name} is deleted.`, { undo: () => api.addView(view.name, view.state).catch(toastError) })
      fill()
    } catch (error) {
      toastError(error)
    }
  }
  const save = async (event) => {
    event.preventDefault()
    try {
      await api.addView(input.value, state())
      input.value = ""
      fill()
    } catch (error) {
      toastError(error)
    }
  }
  const form = h("form", { class: "menu-row", onsubmit: save }, input, h("button", { class: "button button-small" }, "Save"))
  const element = menu("Views", "views", list, fill, signal)
  return element
}

function menu(title, name, list, fill, signal) {
  const summary = h("summary", { class: "button" }, title)
  const element = h("details", { class: "menu", "data-testid": `${name}-menu` }, summary, list)
  element.addEventListener("toggle", () => element.open && fill())
  element.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !element.contains(event.relatedTarget)) element.open = false
  })
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    element.open = false
    summary.focus()
  })
  on(document, "pointerdown", signal, (event) => {
    if (!element.contains(event.target)) element.open = false
  })
  return element
}
