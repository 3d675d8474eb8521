import { h } from "../core/dom.js"

const BEYOND = 12 // rows kept ready above and below what is seen
const GUESS = 39 // pixels, before a row was measured

/**
 * The part of a long table that is in the document: rows near what is seen, and room for the others.
 * Every row has one height, which is measured on the first that is shown.
 */
export class RowWindow {
  #body
  #above = space()
  #below = space()
  #rowAt
  #height = GUESS
  #count = 0
  #shown = []
  #frame = 0

  /** `rowAt(place)` gives the element of a row; it is asked for rows that are seen only. */
  constructor(body, signal, rowAt) {
    this.#body = body
    this.#rowAt = rowAt
    const later = () => (this.#frame ||= requestAnimationFrame(() => ((this.#frame = 0), this.draw())))
    window.addEventListener("scroll", later, { signal, passive: true })
    window.addEventListener("resize", () => ((this.#shown = []), later()), { signal })
  }

  /** Shows another number of rows, or other rows: all are asked for anew. */
  show(count) {
    this.#count = count
    this.#shown = []
    this.draw()
  }

  draw() {
    if (!this.#body.isConnected && this.#count > 0) return
    const [first, last] = this.#seen()
    if (this.#shown.length === last - first && this.#shown[0] === first) return
    const isFirst = this.#shown.length === 0
    this.#shown = Array.from({ length: last - first }, (_, place) => first + place)
    this.#place([this.#above.element, ...this.#shown.map(this.#rowAt), this.#below.element])
    this.#above.size(first * this.#height)
    this.#below.size((this.#count - last) * this.#height)
    if (isFirst) this.#measure()
  }

  /** Scrolls as little as needed for a row to be seen whole. */
  reveal(place) {
    const top = this.#top() + place * this.#height
    const header = document.querySelector(".header").getBoundingClientRect().bottom + this.#height
    const up = top - Math.max(header, this.#height)
    const down = top + 2 * this.#height - window.innerHeight
    if (up < 0) window.scrollBy(0, up)
    else if (down > 0) window.scrollBy(0, down)
    this.draw()
  }

  #seen() {
    const top = -this.#top()
    const first = Math.floor(top / this.#height) - BEYOND
    const last = Math.ceil((top + window.innerHeight) / this.#height) + BEYOND
    return [Math.min(Math.max(first, 0), this.#count), Math.max(0, Math.min(last, this.#count))]
  }

  #top() {
    return this.#body.getBoundingClientRect().top
  }

  #measure() {
    const row = this.#body.children[1]
    const height = row && row !== this.#below.element ? row.getBoundingClientRect().height : 0
    if (height === 0 || Math.abs(height - this.#height) < 0.1) return
    this.#height = height
    this.draw()
    this.#above.size(this.#shown[0] * height)
    this.#below.size((this.#count - this.#shown.at(-1) - 1) * height)
  }

  // Rows that stay are not touched: what is focused in them stays focused.
  #place(elements) {
    const wanted = new Set(elements)
    for (const child of [...this.#body.children]) if (!wanted.has(child)) child.remove()
    elements.forEach((element, index) => {
      if (this.#body.children[index] !== element) this.#body.insertBefore(element, this.#body.children[index] ?? null)
    })
  }
}

function space() {
  const cell = h("td", {})
  const element = h("tr", { class: "table-space", "aria-hidden": "true" }, cell)
  const size = (height) => {
    cell.style.height = `${height}px`
    element.hidden = height === 0
  }
  return { element, size }
}
