// Draws every `div.mermaid`. Mermaid is fetched from beside this file when the first diagram appears.
(() => {
  // The plugin adds this file to pages with diagrams once more, with a call of `mermaid.initialize`.
  window.mermaid ??= { initialize() {} }
  if (window.readfreshDiagrams) return
  window.readfreshDiagrams = true

  const library = new URL("mermaid.min.js", document.currentScript.src).href
  const sources = new WeakMap()
  let loading, number = 0, turn = Promise.resolve()

  const load = () => loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.onload = () => resolve(window.mermaid)
    script.onerror = () => reject(new Error(`${library} could not be loaded`))
    script.src = library
    document.head.append(script)
  })

  const colours = dark => dark
    ? { text: "#e6edf3", line: "#a9b7c6", box: "#1d3b3a", edge: "#5fb3a8", note: "#4a3d12", noteEdge: "#d3a93b", ground: "#1e2129", soft: "#2b303b" }
    : { text: "#1c2024", line: "#4a5560", box: "#dff2ef", edge: "#00796b", note: "#fff3cd", noteEdge: "#a67c00", ground: "#ffffff", soft: "#f0f3f5" }

  const settings = dark => {
    const c = colours(dark)
    const natural = { useMaxWidth: false }
    return {
      startOnLoad: false, securityLevel: "strict", suppressErrorRendering: true, theme: "base",
      fontFamily: "system-ui, sans-serif",
      flowchart: natural, state: natural, class: natural, er: natural,
      // Narrow enough for four participants beside the navigation.
      sequence: {
        ...natural, mirrorActors: false, width: 110, actorMargin: 24, height: 44, messageMargin: 30, boxMargin: 8,
        diagramMarginX: 8, diagramMarginY: 12, bottomMarginAdj: 12, actorFontSize: 14, messageFontSize: 14, noteFontSize: 14,
      },
      themeVariables: {
        darkMode: dark, background: c.ground, fontSize: "15px", fontFamily: "system-ui, sans-serif",
        primaryColor: c.box, primaryTextColor: c.text, primaryBorderColor: c.edge,
        secondaryColor: c.soft, secondaryTextColor: c.text, secondaryBorderColor: c.line,
        tertiaryColor: c.soft, tertiaryTextColor: c.text, tertiaryBorderColor: c.line,
        lineColor: c.line, textColor: c.text, mainBkg: c.box, nodeBorder: c.edge, nodeTextColor: c.text,
        clusterBkg: c.soft, clusterBorder: c.line, titleColor: c.text, edgeLabelBackground: c.ground,
        actorBkg: c.box, actorBorder: c.edge, actorTextColor: c.text, actorLineColor: c.line,
        signalColor: c.line, signalTextColor: c.text, sequenceNumberColor: c.ground,
        labelBoxBkgColor: c.soft, labelBoxBorderColor: c.line, labelTextColor: c.text, loopTextColor: c.text,
        noteBkgColor: c.note, noteBorderColor: c.noteEdge, noteTextColor: c.text,
        activationBkgColor: c.soft, activationBorderColor: c.edge,
        transitionColor: c.line, transitionLabelColor: c.text, stateLabelColor: c.text, stateBkg: c.box,
        labelColor: c.text, altBackground: c.soft, compositeBackground: c.ground,
        compositeTitleBackground: c.soft, specialStateColor: c.line, innerEndBackground: c.ground,
        errorBkgColor: c.soft, errorTextColor: c.text,
      },
    }
  }

  const heading = box => {
    let found = ""
    for (const element of document.querySelectorAll("article :is(h1, h2, h3, h4)")) {
      if (element.compareDocumentPosition(box) & Node.DOCUMENT_POSITION_FOLLOWING) found = element.textContent.replace("¶", "")
    }
    return found.trim()
  }

  // One after another: Mermaid keeps its state in globals.
  const draw = async box => {
    if (!sources.has(box)) sources.set(box, box.textContent)
    const source = sources.get(box)
    const dark = document.body.dataset.mdColorScheme === "slate"
    if (!box.isConnected || box.dataset.scheme === String(dark)) return
    try {
      const mermaid = await load()
      mermaid.initialize(settings(dark))
      // Drawn in the body and moved from there: what is hidden, as in a closed tab, has no size to draw by.
      const { svg, diagramType } = await mermaid.render(`diagram-${++number}`, source)
      box.innerHTML = svg
      const kind = diagramType.replace(/-v2$/, "").replace(/V2$/, "").replace(/^stateDiagram$/, "state")
      const drawing = box.firstElementChild
      drawing.style.setProperty("--natural-width", `${drawing.viewBox.baseVal.width}px`)
      if (!drawing.querySelector(":scope > title")) drawing.setAttribute("aria-label", `${kind} diagram: ${heading(box)}`)
      drawing.setAttribute("role", "img")
      box.tabIndex = 0
      box.setAttribute("role", "group")
      box.setAttribute("aria-label", "Diagram")
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
    box.dataset.scheme = String(dark)
  }

  const drawAll = () => {
    for (const box of document.querySelectorAll("div.mermaid")) turn = turn.then(() => draw(box))
  }

  // Material's stream tells of the first page and of each one reached by instant navigation.
  document$.subscribe(drawAll)
  new MutationObserver(drawAll).observe(document.body, { attributeFilter: ["data-md-color-scheme"] })
})()
