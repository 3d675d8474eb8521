import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { go } from "../core/router.js"
import { icon } from "../ui/icons.js"
import { restoreRuns, stopRuns, trashRuns } from "../ui/steer.js"
import { toast } from "../ui/toast.js"

/** What can be done with the chosen runs: a bar above the foot of the window, so that no row moves. */
export class ChosenBar {
  #table
  #runs = []
  #text = h("span", { class: "nowrap" })
  #compare = button("compare", "Compare", () => this.compare())
  #stop = button("stop", "Stop", () => stopRuns(this.#ids("stop")))
  #trash = button("trash", "Delete", () => trashRuns(this.#ids("delete"), this.#reload))
  #restore = button("restore", "Restore", () => restoreRuns(this.#ids("restore")))
  #clear = button("close", "", () => this.#table.clearChoice())
  #reload

  constructor(table, reload) {
    this.#table = table
    this.#reload = reload
    this.#clear.setAttribute("aria-label", "Choose none")
    this.#clear.classList.add("button-square")
    const parts = [this.#text, this.#compare, this.#stop, this.#trash, this.#restore, this.#clear]
    this.element = h("div", { class: "chosen-bar", role: "toolbar", "aria-label": "Chosen runs", hidden: true, "data-testid": "chosen" }, parts)
  }

  show(runs) {
    this.#runs = runs
    this.element.hidden = runs.length === 0
    setText(this.#text, `${plural(runs.length, "run")} chosen`)
    const inTrash = runs.some(({ deleted_at }) => deleted_at)
    this.#compare.hidden = this.#stop.hidden = this.#trash.hidden = inTrash
    this.#restore.hidden = !inTrash
    allow(this.#stop, this.#ids("stop"), "None of the chosen runs can be stopped.")
    allow(this.#trash, this.#ids("delete"), "A run that is queued or live must be stopped before it can be deleted.")
  }

  compare() {
    if (this.#runs.length === 0) toast("Choose runs first: press x on a row, or tick its box.")
    else go(`/compare?runs=${this.#runs.map(({ id }) => id).join(",")}`)
  }

  #ids(action) {
    return this.#runs.filter(({ actions }) => actions.includes(action)).map(({ id }) => id)
  }
}

function button(name, word, onclick) {
  return h("button", { type: "button", class: "button button-quiet", onclick }, icon(name), word)
}

function allow(element, ids, why) {
  element.disabled = ids.length === 0
  element.title = ids.length === 0 ? why : ""
}
