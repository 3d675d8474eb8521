import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { count } from "../core/format.js"
import { icon } from "../ui/icons.js"
import { problem } from "../ui/problem.js"

/** The data sets: ready, or what is missing and where it belongs. */
export function dataPage({ root, signal }) {
  const list = h("div", { class: "datasets" }, Array.from({ length: 4 }, () => h("div", { class: "card skeleton dataset-skeleton" })))
  root.append(h("div", { class: "page-head" }, h("h1", {}, "Data")), list)
  const load = async () => {
    try {
      list.replaceChildren(...(await api.datasets(signal)).map(datasetCard))
    } catch (error) {
      if (!isAbort(error)) list.replaceChildren(problem(error.message, load))
    }
  }
  load()
  return "Data"
}

function datasetCard(dataset) {
  const { name, title, train_images: train, test_images: test, height, width, channels, ready, folder, missing } = dataset
  const mark = h("span", { class: "state", "data-tone": ready ? "good" : "warn" }, icon(ready ? "tick" : "warning"), ready ? "ready" : "not here yet")
  const facts = `${count(train)} training and ${count(test)} test images, ${height} × ${width}, ${channels === 1 ? "grey" : "colour"}, ten classes`
  return h(
    "section",
    { class: "card dataset", "data-testid": `dataset-${name}` },
    h("div", { class: "card-head" }, h("h2", {}, title), mark),
    h("div", { class: "card-body" }, h("p", { class: "muted" }, facts), h("p", {}, "In configurations and filters: ", h("code", {}, name)), whereTo(ready, folder, missing)),
  )
}

function whereTo(ready, folder, missing) {
  if (folder === null) return h("p", { class: "muted" }, "Comes with the program.")
  if (ready) return h("p", { class: "muted" }, "In ", h("code", {}, folder), " of the data folder.")
  return h("div", { class: "missing" }, h("p", {}, "The first run that needs them fetches these files. Where the worker has no network, put them into ", h("code", {}, folder), " of the data folder:"), h("ul", {}, missing.map((file) => h("li", {}, h("code", {}, file)))))
}
