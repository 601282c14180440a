// Draws every `div.mermaid` while a writer works; in the built site the drawings are there already.
// Mermaid is fetched from beside this file when the first diagram appears.
(() => {
  // The plugin adds this file to pages with diagrams once more, with a call of `mermaid.initialize`.
  window.mermaid ??= { initialize() {} }
  if (window.readfreshDiagrams) return
  window.readfreshDiagrams = true

  const here = document.currentScript.src
  let loading, number = 0, turn = Promise.resolve()

  // Mermaid calculates with colours, so it is given one that stands in for each variable of the page's style sheet.
  const load = async () => {
    const text = await (await fetch(new URL("diagrams.json", here))).text()
    const colours = [...new Set(text.match(/var\(--[\w-]+\)/g))]
    const standIn = at => `#fe01${at.toString(16).padStart(2, "0")}`
    const settings = JSON.parse(text.replace(/var\(--[\w-]+\)/g, colour => standIn(colours.indexOf(colour))))
    const library = new URL("mermaid.min.js", here).href
    await new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.onload = resolve
      script.onerror = () => reject(new Error(`${library} could not be loaded`))
      script.src = library
      document.head.append(script)
    })
    window.mermaid.initialize(settings)
    const variable = (at, share = 1) =>
      +share === 1 ? colours[at] : `color-mix(in srgb, ${colours[at]} ${share * 100}%, transparent)`
    return svg => svg
      .replace(/#fe01([0-9a-f]{2})/g, (_, at) => variable(parseInt(at, 16)))
      .replace(/rgba?\(254, ?1, ?(\d+)(?:, ?([\d.]+))?\)/g, (_, at, share) => variable(at, share))
  }

  // One after another: Mermaid keeps its state in globals.
  const draw = async box => {
    if (!box.isConnected || box.dataset.drawn) return
    const source = box.textContent
    try {
      const coloured = await (loading ??= load())
      const name = `diagram-${++number}`
      // Drawn in the body and moved from there: what is hidden, as in a closed tab, has no size to draw by.
      const { svg } = await window.mermaid.render(name, source)
      box.innerHTML = coloured(svg)
      const drawing = box.firstElementChild
      const words = document.createElementNS("http://www.w3.org/2000/svg", "desc")
      words.id = `${name}-words`
      words.textContent = box.dataset.words
      drawing.prepend(words)
      drawing.removeAttribute("aria-roledescription")
      drawing.setAttribute("role", "img")
      drawing.setAttribute("aria-label", box.dataset.label)
      drawing.setAttribute("aria-describedby", words.id)
      drawing.style.setProperty("--natural-width", `${drawing.viewBox.baseVal.width}px`)
      box.dataset.drawn = "yes"
    } catch (error) {
      console.error(`This diagram cannot be drawn: ${error.message ?? error}\n${source}`)
      const reason = document.createElement("p")
      reason.textContent = `This diagram cannot be drawn: ${error.message ?? error}`
      const text = document.createElement("pre")
      text.textContent = source
      box.replaceChildren(reason, text)
      box.dataset.drawn = "no"
    }
  }

  // Material's stream tells of the first page and of each one reached by instant navigation.
  document$.subscribe(() => {
    for (const box of document.querySelectorAll("div.mermaid")) turn = turn.then(() => draw(box))
  })
})()
