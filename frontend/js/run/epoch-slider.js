import { h, setAttribute, setText } from "../core/dom.js"
import { icon } from "../ui/icons.js"

const STEP = 600 // milliseconds between two epochs while it plays

/**
 * A slider over the epochs at which something was measured. It stands on the newest and follows it, until a reader
 * moves it back; `show` hears of every other epoch that it stands on.
 */
export class EpochSlider {
  element

  #show
  #known = []
  #place = -1
  #timer = 0
  #range
  #words = h("output", { class: "nowrap" }, "–")
  #play

  constructor(label, signal, show) {
    this.#show = show
    this.#range = h("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": label, oninput: () => this.#moved() })
    this.#play = h("button", { type: "button", class: "button button-small button-square", onclick: () => (this.#timer ? this.#stop() : this.#start()) })
    this.element = h("div", { class: "epoch-slider" }, this.#play, this.#range, this.#words)
    signal.addEventListener("abort", () => this.#stop())
    this.#mark()
  }

  /** The epoch that it stands on, or null before anything was measured. */
  get epoch() {
    return this.#known[this.#place] ?? null
  }

  /** Takes all epochs at which something was measured, in order. */
  take(known) {
    const before = this.epoch
    const follows = this.#place === this.#known.length - 1 && !this.#timer
    this.#known = known
    this.#place = follows ? known.length - 1 : Math.max(0, known.indexOf(before))
    this.#mark()
    if (this.epoch !== before) this.#show(this.epoch)
  }

  #moved() {
    const place = Number(this.#range.value)
    this.#stop()
    this.#go(place)
  }

  #go(place) {
    this.#place = place
    this.#mark()
    this.#show(this.epoch)
  }

  #start() {
    if (this.#place >= this.#known.length - 1) this.#go(0)
    this.#timer = setInterval(() => {
      if (this.#place >= this.#known.length - 1) this.#stop()
      else this.#go(this.#place + 1)
    }, STEP)
    this.#mark()
  }

  #stop() {
    clearInterval(this.#timer)
    this.#timer = 0
    this.#mark()
  }

  #mark() {
    const words = this.epoch === null ? "–" : this.epoch === 0 ? "before training" : `after epoch ${this.epoch}`
    this.#range.max = Math.max(0, this.#known.length - 1)
    this.#range.value = this.#place
    this.#range.disabled = this.#play.disabled = this.#known.length < 2
    setAttribute(this.#range, "aria-valuetext", words)
    setText(this.#words, words)
    const name = this.#timer ? "pause" : "play"
    if (this.#play.dataset.icon === name) return
    this.#play.dataset.icon = name
    this.#play.setAttribute("aria-label", this.#timer ? "Stop playing" : "Play through the epochs")
    this.#play.title = this.#timer ? "Stop playing" : "Play through the epochs"
    this.#play.replaceChildren(icon(name))
  }
}
