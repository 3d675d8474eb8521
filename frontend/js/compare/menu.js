import { h } from "../core/dom.js"
import { menu } from "../ui/menu.js"
import { toastError } from "../ui/toast.js"

const FILES = { csv: "CSV, for spreadsheets", json: "JSON", parquet: "Parquet, for data frames", html: "Report, one HTML file" }

/**
 * What can be taken away: tables, a report, and each chart's picture. `query` gives what a kind of file is asked for
 * with, `charts` name, title and chart.
 */
export function exportMenu(query, charts, signal) {
  const fill = () => {
    const files = Object.entries(FILES).map(([kind, text]) => h("a", { href: `/api/exports/${kind}?${new URLSearchParams(query(kind))}`, download: true }, text))
    const pictures = charts().map(([name, title, chart]) => h("div", { class: "menu-row" }, h("span", {}, title), ["png", "svg"].map((format) => h("button", { type: "button", class: "link-button", onclick: () => chart.save(format, `comparison-${name}`).catch(toastError), "aria-label": `${title} as ${format.toUpperCase()}` }, format.toUpperCase()))))
    return h("div", { class: "menu-list" }, h("h3", { class: "muted small" }, "Data"), files, h("h3", { class: "muted small" }, "Pictures"), pictures)
  }
  const element = menu("Export", fill, signal)
  element.dataset.testid = "export-menu"
  return element
}
