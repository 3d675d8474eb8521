import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { words } from "../core/format.js"
import { go } from "../core/router.js"
import { store } from "../core/store.js"
import { problem } from "../ui/problem.js"
import { toastError } from "../ui/toast.js"
import { card } from "./facts.js"

const MEGABYTE = 1e6
const FRESH = 5_000 // milliseconds, within which what is shown is new enough

/** Where the run came from, what came from it, the states that are kept, and how to go on from them. */
export class LineageCard {
  #id
  #signal
  #loadedAt = 0
  #body = h("div", { class: "lineage" })

  constructor(id, signal) {
    this.#id = id
    this.#signal = signal
    this.element = card("Checkpoints and lineage", "lineage", this.#body)
    this.load()
  }

  /** Loads anew if what is shown is old: an epoch has kept another state. */
  renew() {
    if (Date.now() - this.#loadedAt > FRESH && !this.element.contains(document.activeElement)) this.load()
  }

  async load() {
    this.#loadedAt = Date.now()
    try {
      const [run, kept] = await Promise.all([api.run(this.#id, this.#signal), api.checkpoints(this.#id, this.#signal)])
      this.#body.replaceChildren(...origin(run), ...children(run), keptTable(run, kept), actions(run))
    } catch (error) {
      if (!isAbort(error)) this.#body.replaceChildren(problem(error.message, () => this.load()))
    }
  }
}

function origin({ parent_id: parent, relation, start_epoch: start, reproduction }) {
  if (parent === null) return []
  if (relation === "branch") return [h("p", {}, "Goes on from ", link(parent), ` after its epoch ${start}.`)]
  if (relation === "clone") return [h("p", {}, "Cloned from ", link(parent), ".")]
  if (relation === "retry") return [h("p", {}, "Tries ", link(parent), start ? ` again, after its epoch ${start}.` : " again.")]
  const { epochs_compared: compared, first_difference: first, differs_in: names } = reproduction
  const verdict = first === null
    ? `Equal to the last bit in all ${compared} epochs compared so far.`
    : `Differs from epoch ${first + 1} on, in ${names.map(words).join(", ")}.`
  return [h("p", {}, "Reproduces ", link(parent), "."), h("p", { class: "verdict", "data-tone": first === null ? "good" : "bad", "data-testid": "reproduction" }, compared ? verdict : "Nothing to compare yet.")]
}

function children({ children: ids }) {
  if (ids.length === 0) return []
  return [h("p", {}, "From it came ", ...ids.flatMap((id, place) => [place ? ", " : "", link(id)]), ".")]
}

function keptTable(run, kept) {
  if (kept.length === 0) return h("p", { class: "muted" }, run.epochs_done ? "No state is kept." : "The first state is kept after the first epoch.")
  const rows = kept.map(({ id, epochs_done: epochs, batch, size, sha256, state_hash: hash }) =>
    h(
      "tr",
      {},
      h("td", {}, batch ? `epoch ${epochs + 1}, batch ${batch}` : `epoch ${epochs}`),
      h("td", { class: "number" }, `${(size / MEGABYTE).toFixed(size < MEGABYTE ? 2 : 1)} MB`),
      h("td", {}, h("code", { title: `State ${hash}; file ${sha256}` }, hash.slice(0, 10))),
      h("td", { class: "number" }, h("a", { href: `/api/runs/${run.id}/checkpoints/${id}/file`, download: true }, "Download")),
    ),
  )
  return h("table", { class: "kept" }, h("thead", {}, h("tr", {}, h("th", {}, "after"), h("th", { class: "number" }, "size"), h("th", {}, "state"), h("th", {}))), h("tbody", {}, rows))
}

function actions(run) {
  const retry = run.actions.includes("retry") ? button("Retry", () => api.retry(run.id, { from_checkpoint: run.epochs_done > run.start_epoch })) : null
  if (!run.actions.includes("branch")) return h("div", { class: "lineage-actions" }, retry)
  const epoch = h("input", { class: "input branch-epoch", inputmode: "numeric", "aria-label": "Epoch to branch off after", value: run.epochs_done })
  const branch = button("Branch after epoch", () => api.branch(run.id, { epoch: Number(epoch.value), config: run.epochs_done >= run.config.epochs && Number(epoch.value) === run.epochs_done ? { epochs: run.config.epochs + 10 } : {} }))
  const again = button("Reproduce", () => api.reproduce(run.id))
  return h("div", { class: "lineage-actions" }, retry, again, branch, epoch)
}

function button(word, action) {
  const launch = async () => {
    const run = await action()
    store.put([run])
    go(`/runs/${run.id}`)
  }
  return h("button", { type: "button", class: "button", onclick: () => launch().catch(toastError) }, word)
}

function link(id) {
  return h("a", { href: `/runs/${id}` }, `run ${id}`)
}
