import { api, isAbort } from "../core/api.js"
import { h } from "../core/dom.js"
import { words } from "../core/format.js"
import { Lazy } from "../core/seen.js"
import { histogramPair } from "../service/histograms.js"
import { problem } from "../ui/problem.js"
import { section } from "./section.js"

const MEANING = {
  raw: "The pixels as they are, 0 to 255.",
  unit: "The pixels, scaled to 0 to 1.",
  standardize: "Each pixel less its mean over the training images, over its deviation there.",
  zca: "The pixels whitened, by the covariance of the training images.",
}

/** The values that a run's network was given: its data set's pixels before and after preprocessing. */
export function imagesSection(run, signal) {
  const { dataset, preprocessing, network, quirks } = run.config
  const query = () => ({ dataset, preprocessing, network, own_statistics: quirks.includes("test_own_statistics") })
  const address = `/data?dataset=${dataset}&preprocessing=${preprocessing}`
  const lead = [h("a", { href: address }, words(dataset)), `, preprocessing ${preprocessing}. ${MEANING[preprocessing]}`]
  const place = h("div", { class: "images-place" })
  const load = async () => {
    try {
      const { ready, title } = (await api.datasets(signal)).find(({ name }) => name === dataset)
      if (ready && place.firstElementChild?.className === "chart-pair") return
      place.replaceChildren(ready ? histogramPair(query, signal).element : h("p", { class: "card not-asked" }, h("span", {}, `${title} is not on this host any more, or not yet.`), h("a", { class: "button button-small", href: address }, "To the data")))
    } catch (error) {
      if (!isAbort(error)) place.replaceChildren(problem(error.message, load))
    }
  }
  new Lazy(place, signal, load)
  return section("images", "Images", lead, place)
}
