import { h, isTyping } from "../core/dom.js"
import { dialog } from "./dialog.js"

const LIST = [
  ["/", "filter the runs"],
  ["n", "launch"],
  ["j", "next run"],
  ["k", "run before"],
  ["x", "choose the run"],
  ["X", "choose all from the last one chosen to this"],
  ["Enter", "open the run"],
  ["c", "compare the chosen runs"],
  ["t", "tag the chosen runs"],
  ["e", "rename the run"],
  ["o", "read and write the run's notes"],
  ["?", "this list"],
  ["Esc", "close a panel or a list"],
]

let pageKeys = {}

/** Lets a page answer keys for as long as it is shown: `{j: listener, …}`. */
export function usePageKeys(signal, keys) {
  pageKeys = keys
  signal.addEventListener("abort", () => pageKeys === keys && (pageKeys = {}))
}

/** Answers keys wherever nobody types and no panel is open. */
export function listenForKeys({ launch }) {
  const everywhere = { n: launch, "?": showKeys }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return
    const listener = pageKeys[event.key] ?? everywhere[event.key]
    if (!listener) return
    if (listener(event) !== false) event.preventDefault()
  })
}

/** The list of keys. */
export function showKeys() {
  const rows = LIST.map(([key, what]) => [h("dt", {}, h("kbd", { class: "key" }, key)), h("dd", {}, what)])
  dialog("Keys", "dialog-small", h("dl", { class: "key-list" }, rows)).showModal()
}
