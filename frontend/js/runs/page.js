import { api, isAbort } from "../core/api.js"
import { h, on, setText } from "../core/dom.js"
import { count, plural } from "../core/format.js"
import { go, remember } from "../core/router.js"
import { store } from "../core/store.js"
import { stream } from "../core/stream.js"
import { icon } from "../ui/icons.js"
import { usePageKeys } from "../ui/keys.js"
import { problem } from "../ui/problem.js"
import { ChosenBar } from "./chosen.js"
import { LiveStrip } from "./live.js"
import { RunsTable } from "./table.js"

const PAGE = 50 // runs loaded at once
const QUIET_TYPING = 250 // milliseconds after the last key before the filter is asked for
const EXAMPLE = "dataset = digits and test_accuracy > 95%"

/** All runs, newest first unless sorted otherwise; filter and order are in the address. */
export function runsPage({ root, query, signal }) {
  new RunsPage(root, query, signal).load()
  return query.get("deleted") ? "Trash" : "Runs"
}

function skeleton() {
  return h("div", { class: "card late runs-skeleton", "aria-hidden": "true" }, Array.from({ length: 8 }, () => h("span", { class: "skeleton skeleton-line" })))
}

class RunsPage {
  #signal
  #filter
  #sort
  #deleted
  #cursor = null
  #found = 0
  #hasFailed = false
  #request = null
  #unseen = new Set()
  #input = h("input", { class: "input filter-input", type: "search", id: "filter", placeholder: EXAMPLE, "aria-label": "Filter the runs", "aria-describedby": "filter-problem", spellcheck: "false", autocomplete: "off" })
  #problem = h("p", { class: "field-error", id: "filter-problem", role: "alert" })
  #total = h("span", { class: "muted nowrap", role: "status", "data-testid": "total" })
  #news = h("button", { type: "button", class: "button button-small", hidden: true, "data-testid": "show-new" })
  #more = h("button", { type: "button", class: "button", hidden: true }, "Load more")
  #body = h("div", { class: "runs-body" }, skeleton())
  #table
  #chosen

  constructor(root, query, signal) {
    this.#signal = signal
    this.#filter = query.get("filter") ?? ""
    this.#sort = query.get("sort") ?? "-created"
    this.#deleted = query.get("deleted") === "true"
    this.#input.value = this.#filter
    this.#table = new RunsTable(signal, this.#sort, { sort: (key) => this.#sortBy(key), choose: (runs) => this.#chosen.show(runs), removed: () => this.#shrink() })
    this.#chosen = new ChosenBar(this.#table, () => this.load())
    const trash = this.#deleted ? h("a", { class: "button button-quiet", href: "/" }, "Back to the runs") : h("a", { class: "button button-quiet", href: "/?deleted=true" }, icon("trash"), "Trash")
    const field = h("div", { class: "filter" }, icon("search"), this.#input, h("kbd", { class: "key hint-keys", "aria-hidden": "true" }, "/"))
    const head = h("div", { class: "page-head runs-head" }, h("h1", {}, this.#deleted ? "Trash" : "Runs"), field, this.#total, this.#news, h("span", { class: "header-space" }), trash)
    if (!this.#deleted) root.append(new LiveStrip(signal).element)
    root.append(head, this.#problem, this.#body, h("div", { class: "more" }, this.#more), this.#chosen.element)
    this.#listen(signal)
  }

  /** Loads the first page of runs anew. */
  async load() {
    const page = await this.#fetch(null)
    if (page === null) return
    this.#unseen.clear()
    this.#news.hidden = true
    if (page.runs.length === 0) return this.#body.replaceChildren(this.#empty())
    this.#table.show(page.runs)
    this.#body.replaceChildren(this.#table.element)
  }

  #listen(signal) {
    let typing = 0
    on(this.#input, "input", signal, () => {
      clearTimeout(typing)
      typing = setTimeout(() => this.#filterBy(this.#input.value.trim()), QUIET_TYPING)
    })
    on(this.#more, "click", signal, () => this.#loadMore())
    on(this.#news, "click", signal, () => (this.load(), window.scrollTo(0, 0)))
    store.listen(signal, (event) => this.#hear(event))
    stream.onState(({ state }) => state === "live" && this.#hasFailed && this.load(), signal)
    usePageKeys(signal, {
      "/": () => this.#input.focus(),
      j: () => this.#table.move(1),
      k: () => this.#table.move(-1),
      x: () => this.#table.chooseCurrent(),
      Enter: (event) => (event.target.closest("a, button, input") ? false : this.#table.openCurrent()),
      c: () => this.#chosen.compare(),
    })
    on(this.#input, "keydown", signal, (event) => event.key === "Escape" && this.#input.blur())
  }

  async #loadMore() {
    this.#more.disabled = true
    const page = await this.#fetch(this.#cursor)
    this.#more.disabled = false
    if (page) this.#table.append(page.runs)
  }

  async #fetch(cursor) {
    this.#request?.abort()
    const request = (this.#request = new AbortController())
    const query = { filter: this.#filter, sort: this.#sort, limit: PAGE, cursor, deleted: this.#deleted || null }
    try {
      const page = await api.runs(query, AbortSignal.any([this.#signal, request.signal]))
      store.put(page.runs)
      this.#hasFailed = false
      this.#cursor = page.next_cursor
      this.#more.hidden = page.next_cursor === null
      this.#count(page.total)
      this.#complain("")
      return page
    } catch (error) {
      if (isAbort(error)) return null
      if (error.status === 422) this.#complain(error.message)
      else this.#fail(error)
      return null
    }
  }

  #fail(error) {
    this.#hasFailed = true
    this.#more.hidden = true
    setText(this.#total, "")
    this.#body.replaceChildren(problem(error.message, () => this.load()))
  }

  #count(found) {
    this.#found = found
    setText(this.#total, this.#filter ? `${count(found)} found` : plural(found, "run"))
  }

  // A table that has lost its last row makes way for the next page, or for the words that it is empty.
  #shrink() {
    this.#count(Math.max(0, this.#found - 1))
    if (this.#table.isEmpty) this.load()
  }

  #complain(message) {
    setText(this.#problem, message)
    if (message) this.#input.setAttribute("aria-invalid", "true")
    else this.#input.removeAttribute("aria-invalid")
  }

  #filterBy(filter) {
    this.#filter = filter
    this.#remember()
    this.load()
  }

  #sortBy(key) {
    this.#sort = key
    this.#remember()
    this.load()
  }

  #remember() {
    remember({ filter: this.#filter, sort: this.#sort === "-created" ? "" : this.#sort, deleted: this.#deleted ? "true" : "" })
  }

  // Rows stay where the eye has them: new runs wait behind a button, a changed order behind "Sort again".
  #hear({ kind, id, data, isNew }) {
    if (kind === "run" && isNew && !data.deleted_at && !this.#deleted) this.#unseen.add(id)
    if (kind === "removed") this.#unseen.delete(id)
    const isStale = ["epoch", "run"].includes(kind) && this.#table.has(id) && !["created", "name", "dataset", "backprop"].includes(this.#sort.replace("-", ""))
    if (this.#unseen.size > 0) setText(this.#news, `${plural(this.#unseen.size, "new run")}: show`)
    else if (isStale) setText(this.#news, "Sort again")
    else return
    this.#news.hidden = false
  }

  #empty() {
    if (this.#deleted) return h("div", { class: "empty card" }, h("h2", {}, "The trash is empty"))
    if (this.#filter) {
      const clear = () => ((this.#input.value = ""), this.#filterBy(""))
      return h("div", { class: "empty card" }, h("h2", {}, "No run matches this filter"), h("p", { class: "muted" }, `A word alone is looked for in the name. An example of more: ${EXAMPLE}`), h("button", { type: "button", class: "button", onclick: clear }, "Show all runs"))
    }
    return h(
      "div",
      { class: "empty card", "data-testid": "empty" },
      h("h2", {}, "No runs yet"),
      h("p", { class: "muted" }, "Launch the demonstration pair: the same small network trained with exact gradients and with dilated ones, on images that come with the program. Both are done in a few minutes, and their curves grow here."),
      h("button", { type: "button", class: "button button-main", onclick: () => go("#launch") }, "Launch the first runs"),
    )
  }
}

