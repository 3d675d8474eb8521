import { h } from "../core/dom.js"
import { configValue, words } from "../core/format.js"

/** What the run was asked to compute; values that a manual run does not use are left out. */
export function configurationCard(run) {
  const entries = Object.entries(run.config).filter(([name]) => run.config.backprop === "dilated" || !name.startsWith("dilation_"))
  const rows = entries.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, words(name)), h("td", { class: "number" }, configValue(value, name))))
  return card("Configuration", "configuration", h("table", { class: "facts" }, h("tbody", {}, rows)))
}

/** Where it was computed: bits are equal only where this is equal. */
export function environmentCard(run) {
  const entries = Object.entries(run.environment ?? {})
  if (run.worker) entries.unshift(["worker", run.worker])
  if (run.threads && !run.environment?.threads) entries.push(["threads", run.threads])
  const rows = entries.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, words(name)), h("td", { class: "number" }, String(value))))
  const content = rows.length ? h("table", { class: "facts" }, h("tbody", {}, rows)) : h("p", { class: "muted" }, "Known when a worker has begun.")
  const element = card("Environment", "environment", content)
  if (run.environment) element.dataset.known = "yes"
  return element
}

/** A card with a heading. */
export function card(title, testId, ...content) {
  return h("section", { class: "card", "data-testid": testId }, h("div", { class: "card-head" }, h("h2", {}, title)), h("div", { class: "card-body" }, content))
}
