import { h } from "../core/dom.js"

/** The parts of a page, to go to by a press or by the address; each is a `section` with an id and a heading. */
export function contents(sections, signal) {
  const links = sections.map((element) => {
    const show = (event) => {
      event.preventDefault()
      history.replaceState(history.state, "", `#${element.id}`)
      goTo(element)
    }
    return h("a", { href: `#${element.id}`, onclick: show }, element.querySelector("h2").textContent)
  })
  const observer = new IntersectionObserver(() => mark(), { rootMargin: "-120px 0px -50% 0px", threshold: [0, 0.01, 1] })
  for (const element of sections) observer.observe(element)
  signal.addEventListener("abort", () => observer.disconnect())
  const mark = () => {
    const middle = window.innerHeight / 2
    const here = sections.findLastIndex((element) => element.getBoundingClientRect().top < middle)
    links.forEach((link, place) => (place === here ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")))
  }
  const asked = sections.find(({ id }) => `#${id}` === location.hash)
  if (asked) requestAnimationFrame(() => goTo(asked))
  return h("nav", { class: "contents", "aria-label": "Parts of this page" }, links)
}

function goTo(element) {
  element.scrollIntoView({ block: "start" })
  element.querySelector("h2").focus({ preventScroll: true })
}
