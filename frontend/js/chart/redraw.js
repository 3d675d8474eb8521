const INTERVAL = 250 // milliseconds; one redraw for everything that arrived meanwhile
const REST = 3 // at most every so many times the last redraw's length

/** Gathers wishes to redraw; `draw` is called at most once an interval, and less often where drawing takes long. */
export class Redraw {
  #draw
  #timer = 0
  #interval = INTERVAL

  constructor(draw) {
    this.#draw = draw
  }

  later() {
    this.#timer ||= setTimeout(() => this.now(), this.#interval)
  }

  async now() {
    this.stop()
    const begun = performance.now()
    await this.#draw()
    this.#interval = Math.max(INTERVAL, REST * (performance.now() - begun))
  }

  stop() {
    clearTimeout(this.#timer)
    this.#timer = 0
  }
}
