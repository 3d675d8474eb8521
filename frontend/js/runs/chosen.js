import { h, setText } from "../core/dom.js"
import { plural } from "../core/format.js"
import { go } from "../core/router.js"
import { store } from "../core/store.js"
import { icon } from "../ui/icons.js"
import { isLive, isOpen } from "../ui/state.js"
import { forceStopRuns, pauseRuns, purgeRuns, restoreRuns, resumeRuns, retryRuns, stopRuns, trashRuns } from "../ui/steer.js"
import { toast } from "../ui/toast.js"
import { openPriority } from "./ranking.js"
import { openTagging } from "./tagging.js"

const MOST_COMPARED = 100

/**
 * What can be done with the chosen runs: a bar above the foot of the window, so that no row moves. What some of them
 * allow is offered and asked of all: the service tells which refuse, and why. What comes up seldom is there if it can be done.
 */
export class ChosenBar {
  #ids = []
  #text = h("span", { class: "nowrap", role: "status" })
  #compare = button("compare", "Compare", () => this.compare())
  #stop = button("stop", "Stop", () => stopRuns(this.#ids))
  #force = button("kill", "Force stop", () => forceStopRuns(this.#ids))
  #pause = button("pause", "Pause", () => pauseRuns(this.#ids))
  #resume = button("play", "Resume", () => resumeRuns(this.#ids))
  #retry = button("recover", "Retry", () => retryRuns(this.#ids))
  #priority = button("rank", "Priority", () => openPriority(this.#ids))
  #tag = button("tag", "Tag", () => this.tag())
  #trash = button("trash", "Delete", () => trashRuns(this.#ids, this.#reload))
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
    this.#force.title = "End their processes at once: what was trained since their last checkpoint is lost"
    this.#retry.title = "Train what failed or was stopped again, from the beginning, as new runs"
    const actions = isTrash ? [this.#restore, this.#purge] : [this.#compare, this.#stop, this.#force, this.#pause, this.#resume, this.#retry, this.#priority, this.#tag, this.#trash]
    this.element = h("div", { class: "chosen-bar", role: "toolbar", "aria-label": "Chosen runs", hidden: true, "data-testid": "chosen" }, this.#text, actions, clear)
  }

  show(ids) {
    this.#ids = [...ids]
    this.element.hidden = this.#ids.length === 0
    setText(this.#text, `${plural(this.#ids.length, "run")} chosen`)
    allow(this.#stop, this.#some(({ actions }) => actions.includes("stop")), "None of the chosen runs can be stopped.")
    allow(this.#trash, this.#some(({ actions }) => actions.includes("delete")), "A run that is queued or live must be stopped before it can be deleted.")
    this.#force.hidden = !this.#some(isLive)
    this.#pause.hidden = !this.#some(({ actions }) => actions.includes("pause"))
    this.#resume.hidden = !this.#some(({ actions }) => actions.includes("resume"))
    this.#retry.hidden = !this.#some(({ actions }) => actions.includes("retry"))
    this.#priority.hidden = !this.#some((run) => isOpen(run) || run.status === "paused")
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

  #deleteForGood() {
    const ids = new Set(this.#ids)
    purgeRuns(this.#ids, { hide: () => this.#table.remove(ids), back: this.#reload })
  }

  // What a run that was never seen allows, the service says when it is asked.
  #some(allows) {
    return this.#ids.some((id) => !store.get(id) || allows(store.get(id)))
  }
}

function button(name, word, onclick) {
  return h("button", { type: "button", class: "button button-quiet", onclick }, icon(name), word)
}

function allow(element, isAllowed, why) {
  element.disabled = !isAllowed
  element.title = isAllowed ? "" : why
}
