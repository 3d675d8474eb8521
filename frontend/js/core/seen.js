const AHEAD = "300px" // what is so near to the window counts as seen: it is there when a reader comes to it

/** Tells `listener` whether an element is in sight or near it, now and whenever that changes. */
export function whileSeen(element, signal, listener) {
  const observer = new IntersectionObserver((entries) => listener(entries.at(-1).isIntersecting), { rootMargin: AHEAD })
  observer.observe(element)
  signal.addEventListener("abort", () => observer.disconnect())
}

/** Calls `load` when an element comes into sight first, and from then on after `renew()`, at most once an interval while it is in sight. */
export class Lazy {
  #load
  #interval
  #isSeen = false
  #isStale = true
  #begun = 0
  #timer = 0

  constructor(element, signal, load, interval = 1_000) {
    this.#load = load
    this.#interval = interval
    whileSeen(element, signal, (isSeen) => {
      this.#isSeen = isSeen
      this.#plan()
    })
    signal.addEventListener("abort", () => clearTimeout(this.#timer))
  }

  /** What is shown is no longer new. */
  renew() {
    this.#isStale = true
    this.#plan()
  }

  /** Loads now, wherever the element is. */
  now() {
    clearTimeout(this.#timer)
    this.#timer = 0
    this.#isStale = false
    this.#begun = Date.now()
    return this.#load()
  }

  #plan() {
    if (!this.#isSeen || !this.#isStale || this.#timer) return
    const wait = this.#begun + this.#interval - Date.now()
    if (wait <= 0) return void this.now()
    this.#timer = setTimeout(() => {
      this.#timer = 0
      if (this.#isSeen) this.now()
    }, wait)
  }
}
