let loading = null

/** Plotly, fetched when the first chart is shown: a page without charts does not wait for its 1.5 MB. */
export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = "/static/plotly.min.js"
    script.onload = () => resolve(window.Plotly)
    script.onerror = () => {
      loading = null
      reject(new Error("The chart library could not be loaded; reload the page."))
    }
    document.head.append(script)
  })
  return loading
}
