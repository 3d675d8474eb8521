import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { toastError } from "../ui/toast.js"

/** The end of the run's log, folded; it is read when it is opened. */
export class LogCard {
  #id
  #signal
  #attempt = h("span", { class: "muted small" })
  #text = h("pre", { class: "log", tabindex: 0, "aria-label": "Log" })

  constructor(id, signal) {
    this.#id = id
    this.#signal = signal
    const again = h("button", { type: "button", class: "button button-small", onclick: () => this.#load() }, "Read again")
    this.element = h("details", { class: "card log-card", "data-testid": "log" }, h("summary", { class: "card-head" }, h("h2", {}, "Log"), this.#attempt), h("div", { class: "card-body" }, again, this.#text))
    this.element.addEventListener("toggle", () => this.element.open && this.#load())
  }

  async #load() {
    try {
      const { attempt, text } = await api.log(this.#id, this.#signal)
      this.#attempt.textContent = attempt ? `attempt ${attempt}, its end` : ""
      this.#text.textContent = text || "Nothing has been written yet."
      this.#text.scrollTop = this.#text.scrollHeight
    } catch (error) {
      if (!isAbort(error)) toastError(error)
    }
  }
}
