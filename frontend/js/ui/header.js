import { h, setText } from "../core/dom.js"
import { duration, exactTime } from "../core/format.js"
import { store } from "../core/store.js"
import { stream } from "../core/stream.js"
import { chosenTheme, nextTheme } from "../core/theme.js"
import { icon } from "./icons.js"

const PAGES = [
  ["/", "Runs"],
  ["/compare", "Compare"],
  ["/queue", "Queue"],
  ["/data", "Data"],
]
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" }
const AGE_EVERY = 1_000 // milliseconds
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" })

/** The bar on top of every page: where one is, what goes on, Launch. */
export function fillHeader(header) {
  const row = h(
    "div",
    { class: "header-row" },
    h("a", { class: "brand", href: "/", "aria-label": "Backprop Lab, to the runs" }, h("img", { src: "/static/favicon.svg", width: 20, height: 20, alt: "" }), "Backprop Lab"),
    navigation(),
    h("span", { class: "header-space" }),
    h("div", { class: "header-state" }, runCounts(), streamMark()),
    h(
      "div",
      { class: "header-actions" },
      themeButton(),
      h("a", { class: "button button-main", href: "#launch", "data-testid": "launch" }, "Launch", h("kbd", { class: "key", "aria-hidden": "true" }, "n")),
    ),
  )
  header.append(row)
}

function navigation() {
  const links = PAGES.map(([href, word]) => h("a", { href }, word))
  const mark = () => {
    for (const link of links) {
      const isHere = link.pathname === "/" ? /^\/(runs\/.*)?$/.test(location.pathname) : location.pathname.startsWith(link.pathname)
      if (isHere) link.setAttribute("aria-current", "page")
      else link.removeAttribute("aria-current")
    }
  }
  window.addEventListener("lab:page", mark)
  return h("nav", { class: "nav", "aria-label": "Pages" }, links)
}

function runCounts() {
  const text = h("a", { class: "header-counts", href: "/queue", "data-testid": "counts" })
  const signal = new AbortController().signal
  store.listen(signal, ({ kind, data }) => {
    if (kind === "counts") setText(text, `${data.running} running · ${data.queued} queued`)
  })
  return text
}

// How old what is shown is stands beside the word, and is not read aloud each second.
function streamMark() {
  const word = h("span", {})
  const age = h("span", { class: "stream-age", "aria-hidden": "true", "data-testid": "age" })
  const mark = h("span", { class: "stream-mark", role: "status", "data-testid": "stream" }, h("span", { class: "stream-dot" }), word)
  const showAge = () => setText(age, stream.state === "live" || stream.state === "connecting" ? "" : `data ${duration((Date.now() - stream.heard) / 1000)} old`)
  stream.onState(({ state, since }) => {
    mark.dataset.state = age.dataset.state = state
    mark.title = state === "live" ? "This page follows the service as things change." : `No news from the service since ${exactTime(stream.heard)}. What is shown was true then.`
    setText(word, state === "offline" ? `offline since ${clock.format(since)}` : state)
    showAge()
  })
  setInterval(showAge, AGE_EVERY)
  return [mark, age]
}

function themeButton() {
  const button = h("button", { type: "button", class: "button button-quiet button-square", "data-testid": "theme" })
  const show = () => {
    button.replaceChildren(icon(THEME_ICONS[chosenTheme()]))
    button.title = `Colours: ${chosenTheme()}`
    button.setAttribute("aria-label", `Colours: ${chosenTheme()}. Change`)
  }
  button.addEventListener("click", () => {
    nextTheme()
    show()
  })
  show()
  return button
}
