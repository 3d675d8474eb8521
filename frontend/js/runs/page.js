import { h, setText } from "../core/dom.js"
import { bytes, count, plural } from "../core/format.js"
import { isAbort } from "../core/api.js"
import { remember } from "../core/router.js"
import { store } from "../core/store.js"
import { stream } from "../core/stream.js"
import { icon } from "../ui/icons.js"
import { usePageKeys } from "../ui/keys.js"
import { problem } from "../ui/problem.js"
import { toastError } from "../ui/toast.js"
import { viewsMenu } from "../ui/views.js"
import { ChosenBar } from "./chosen.js"
import { columnChooser } from "./chooser.js"
import { DEFAULT_COLUMNS, columnOf } from "./columns.js"
import { emptyRuns, skeletonRows } from "./empty.js"
import { EXAMPLE, filterField } from "./filter.js"
import { LiveStrip } from "./live.js"
import { News } from "./news.js"
import { RunSource } from "./source.js"
import { RunsTable } from "./table.js"
import { openNotes } from "./tagging.js"

const NEWEST_FIRST = "-created"
let left = null // how the page was when it was left: for who comes back

/** All runs, newest first unless sorted otherwise; filter, order and columns are in the address. */
export function runsPage({ root, query, signal, isReturn }) {
  const page = new RunsPage(root, query, signal)
  page.load(isReturn && left?.address === location.search ? left : null)
  return query.get("deleted") ? "Trash" : "Runs"
}

class RunsPage {
  #source
  #isTrash
  #columns
  #found = 0
  #hasFailed = false
  #filter
  #total = h("span", { class: "muted nowrap", role: "status", "data-testid": "total" })
  #news
  #body = h("div", { class: "runs-body" }, skeletonRows())
  #table
  #chosen

  constructor(root, query, signal) {
    this.#isTrash = query.get("deleted") === "true"
    this.#columns = query.get("columns")?.split(",") ?? DEFAULT_COLUMNS
    this.#source = new RunSource(signal)
    this.#source.query = { filter: query.get("filter") ?? "", sort: query.get("sort") ?? NEWEST_FIRST, deleted: this.#isTrash || null }
    this.#filter = filterField(this.#source.query.filter, signal, (filter) => this.#ask({ filter }))
    this.#table = new RunsTable(signal, this.#source.query.sort, {
      isTrash: this.#isTrash,
      sort: (sort) => this.#ask({ sort }),
      choose: (ids) => this.#chosen?.show(ids),
      need: (id) => this.#source.need(id, (gone) => (gone.size > 0 ? this.#table.remove(gone) : this.#table.fill())),
      removed: (lost) => this.#shrink(lost),
    })
    this.#chosen = new ChosenBar(this.#table, this.#isTrash, () => this.load())
    this.#news = new News(this.#table, this.#source, () => (this.load(), window.scrollTo(0, 0)), signal)
    const trash = this.#isTrash ? h("a", { class: "button button-quiet", href: "/" }, "Back to the runs") : h("a", { class: "button button-quiet narrow-icon", href: "/?deleted=true", "aria-label": "Trash", title: "Trash" }, icon("trash"), h("span", {}, "Trash"))
    const chooser = columnChooser(() => this.#columns, (names) => this.#showColumns(names), signal)
    const head = h("div", { class: "page-head runs-head" }, h("h1", {}, this.#isTrash ? "Trash" : "Runs"), this.#filter.element, this.#total, this.#news.element, h("span", { class: "header-space" }), viewsMenu(() => `/?${location.search.slice(1)}`, signal), chooser, trash)
    if (!this.#isTrash) root.append(new LiveStrip(signal, new Promise((resolve) => (this.#rowsAreThere = resolve))).element)
    root.append(head, this.#filter.problem, this.#body, this.#chosen.element)
    stream.onState(({ state }) => state === "live" && this.#hasFailed && this.load(), signal)
    signal.addEventListener("abort", () => (left = { address: this.#address, top: this.#top, chosen: this.#table.chosen }))
    window.addEventListener("scroll", () => (this.#top = window.scrollY), { signal, passive: true })
    this.#address = location.search
    this.#useKeys(signal)
  }

  #address = ""
  #top = 0
  #rowsAreThere = () => {}

  /** Loads the runs anew; `back` says where somebody left the page who returns to it. */
  async load(back = null) {
    let isFirst = true
    try {
      await this.#source.load((ids, total, page) => {
        this.#hasFailed = false
        this.#filter.complain("")
        if (page) this.#count(total, page.disk_bytes)
        this.#show(ids, total)
        if (isFirst) this.#news.clear()
        if (back && (isFirst || !page)) this.#restore(back)
        isFirst = false
      })
    } catch (error) {
      if (isAbort(error)) return
      this.#rowsAreThere()
      if (error.status === 422) this.#filter.complain(error.message)
      else this.#fail(error)
    }
  }

  #show(ids, total) {
    requestAnimationFrame(() => setTimeout(() => this.#rowsAreThere()))
    if (total === 0) {
      this.#table.show([], 0)
      return this.#body.replaceChildren(emptyRuns({ isTrash: this.#isTrash, isFiltered: this.#source.query.filter !== "" }, EXAMPLE, () => this.#clear()))
    }
    if (!this.#table.element.isConnected) {
      this.#body.replaceChildren(this.#table.element)
      this.#table.showColumns(this.#columns.map(columnOf), this.#columns !== DEFAULT_COLUMNS)
    }
    this.#table.show(ids, total)
  }

  #restore({ top, chosen }) {
    window.scrollTo(0, top)
    this.#table.choose(chosen)
  }

  #useKeys(signal) {
    usePageKeys(signal, {
      "/": () => this.#filter.input.focus(),
      j: () => this.#table.move(1),
      k: () => this.#table.move(-1),
      x: () => this.#table.chooseCurrent(),
      X: () => this.#table.chooseCurrent(true),
      e: () => this.#table.renameCurrent(),
      o: () => this.#table.current !== null && openNotes(this.#table.current).catch(toastError),
      t: () => this.#chosen.tag(),
      Enter: (event) => (event.target.closest("a, button, input, summary") ? false : this.#table.openCurrent()),
      c: () => this.#chosen.compare(),
    })
  }

  #fail(error) {
    this.#hasFailed = true
    setText(this.#total, "")
    this.#body.replaceChildren(problem(error.message, () => this.load()))
  }

  #count(found, size = null) {
    this.#found = found
    setText(this.#total, this.#source.query.filter ? `${count(found)} found` : plural(found, "run"))
    if (size !== null) this.#total.title = `${bytes(size)} on the disk`
    if (size !== null && this.#isTrash && found > 0) this.#total.append(`, ${bytes(size)}`)
  }

  #shrink(lost) {
    this.#count(Math.max(0, this.#found - lost))
    // Not asked anew: runs that go for good once it can not be undone any more are still there for the service.
    if (this.#table.isEmpty) this.#show([], 0)
  }

  #clear() {
    this.#filter.input.value = ""
    this.#ask({ filter: "" })
  }

  #ask(change) {
    Object.assign(this.#source.query, change)
    this.#remember()
    this.load()
  }

  #showColumns(names) {
    this.#columns = names.join() === DEFAULT_COLUMNS.join() ? DEFAULT_COLUMNS : names
    this.#remember()
    this.#table.showColumns(this.#columns.map(columnOf), this.#columns !== DEFAULT_COLUMNS)
  }

  #remember() {
    const { filter, sort } = this.#source.query
    const columns = this.#columns === DEFAULT_COLUMNS ? "" : this.#columns.join(",")
    remember({ filter, sort: sort === NEWEST_FIRST ? "" : sort, columns, deleted: this.#isTrash ? "true" : "" })
    this.#address = location.search
  }
}
