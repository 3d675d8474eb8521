import { api, isAbort } from "../core/api.js"
import { store } from "../core/store.js"

const FIRST = 60 // runs that come with the first answer: more than a window shows
const AT_ONCE = 100 // runs fetched for rows that come into view
const WAIT = 60 // milliseconds; a fast scroll asks for where it ends

/** Where the table's runs come from: the first ones at once, then the ids of all, then what is seen. */
export class RunSource {
  query = { filter: "", sort: "-created", deleted: null }

  #signal
  #request = null
  #wanted = new Set()
  #timer = 0

  constructor(signal) {
    this.#signal = signal
  }

  /** Calls `show(ids, count, page)` with the first runs, then with the ids of all; a newer call ends an older one. */
  async load(show) {
    this.#request?.abort()
    const request = (this.#request = new AbortController())
    const signal = AbortSignal.any([this.#signal, request.signal])
    const page = await api.runs({ ...this.query, limit: FIRST }, signal)
    store.put(page.runs)
    show(page.runs.map(({ id }) => id), page.total, page)
    if (page.next_cursor === null) return
    const { ids } = await api.runIds(this.query, signal)
    show(ids, ids.length, null)
  }

  /** Fetches a run that is seen, together with others that are; `done` is called once they are known. */
  need(id, done) {
    if (id !== null) this.#wanted.add(id)
    if (this.#wanted.size === 0 || this.#timer) return
    this.#timer = setTimeout(() => this.#fetch(done), WAIT)
  }

  async #fetch(done) {
    // The newest wishes count: what was scrolled past need not be known.
    const ids = [...this.#wanted].slice(-AT_ONCE)
    this.#wanted.clear()
    try {
      const page = await api.runs({ ids: ids.join(","), limit: AT_ONCE, deleted: this.query.deleted }, this.#signal)
      store.put(page.runs)
      done(new Set(ids.filter((id) => !store.get(id))))
    } catch (error) {
      if (!isAbort(error)) setTimeout(() => done(new Set()), 2000)
    } finally {
      this.#timer = 0
    }
  }
}
