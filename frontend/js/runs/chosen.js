import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { go } from "../core/router.js"
import { store } from "../core/store.js"
import { icon } from "../ui/icons.js"
import { pauseRuns, purgeRuns, restoreRuns, resumeRuns, stopRuns, trashRuns } from "../ui/steer.js"
import { toast } from "../ui/toast.js"
import { openTagging } from "./tagging.js"

const MOST_COMPARED = 100

/** What can be done with the chosen runs: a bar above the foot of the window, so that no row moves. */
export class ChosenBar {
  #ids = []
  #text = h("span", { class: "nowrap", role: "status" })
  #compare = button("compare", "Compare", () => this.compare())
  #stop = button("stop", "Stop", () => stopRuns(this.#allowed("stop")))
  #pause = button("pause", "Pause", () => pauseRuns(this.#allowed("pause")))
  #resume = button("play", "Resume", () => resumeRuns(this.#allowed("resume")))
  #tag = button("tag", "Tag", () => this.tag())
  #trash = button("trash", "Delete", () => this.#delete())
  #restore = button("restore", "Restore", () => restoreRuns(this.#ids))
  #purge = button("trash", "Delete for good", () => this.#deleteForGood())
  #table
  #reload

  constructor(table, isTrash, reload) {
    this.#table = table
    this.#reload = reload
    const clear = button("close", "", () => table.choose([]))
    clear.setAttribute("aria-label", "Choose none")
    clear.classList.add("button-square")
    const actions = isTrash ? [this.#restore, this.#purge] : [this.#compare, this.#stop, this.#pause, this.#resume, this.#tag, this.#trash]
    this.element = h("div", { class: "chosen-bar", role: "toolbar", "aria-label": "Chosen runs", hidden: true, "data-testid": "chosen" }, this.#text, actions, clear)
  }

  show(ids) {
    this.#ids = [...ids]
    this.element.hidden = this.#ids.length === 0
    setText(this.#text, `${plural(this.#ids.length, "run")} chosen`)
    allow(this.#stop, this.#allowed("stop"), "None of the chosen runs can be stopped.")
    allow(this.#trash, this.#allowed("delete"), "A run that is queued or live must be stopped before it can be deleted.")
    this.#pause.hidden = this.#allowed("pause").length === 0
    this.#resume.hidden = this.#allowed("resume").length === 0
  }

  compare() {
    if (this.#ids.length === 0) toast("Choose runs first: press x on a row, or tick its box.")
    else if (this.#ids.length > MOST_COMPARED) toast(`${MOST_COMPARED} runs can be compared at once; ${this.#ids.length} are chosen.`)
    else go(`/compare?runs=${this.#ids.join(",")}`)
  }

  tag() {
    if (this.#ids.length === 0) toast("Choose runs first: press x on a row, or tick its box.")
    else openTagging(this.#ids)
  }

  async #delete() {
    await trashRuns(this.#allowed("delete"), this.#reload)
  }

  #deleteForGood() {
    const ids = new Set(this.#ids)
    purgeRuns(this.#ids, { hide: () => this.#table.remove(ids), back: this.#reload })
  }

  // What a run that was never seen allows, the service says when it is asked.
  #allowed(action) {
    return this.#ids.filter((id) => store.get(id)?.actions.includes(action) ?? true)
  }
}

function button(name, word, onclick) {
  return h("button", { type: "button", class: "button button-quiet", onclick }, icon(name), word)
}

function allow(element, ids, why) {
  element.disabled = ids.length === 0
  element.title = ids.length === 0 ? why : ""
}
