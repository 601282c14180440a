// The explorer: steps through recorded orders of two writers. Without this script its box shows one order as a table.
(() => {
  "use strict"
  const here = document.currentScript.src
  const WORKERS = ["A", "B"]
  let designs, box, design, path

  const element = (tag, { part, ...properties } = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties)
    if (part) made.dataset.part = part
    made.append(...children)
    return made
  }
  const told = content => Array.isArray(content) ? content.map(each => `“${each}”`).join(", ") : content ?? "none"
  const address = (to = path) => `#${design.key}/${to}`

  // The nodes that a path goes through, as far as it can be taken.
  const walk = letters => {
    const nodes = [design.nodes[0]]
    for (const letter of letters) {
      const to = nodes.at(-1).next[letter]?.to
      if (to === undefined) break
      nodes.push(design.nodes[to])
    }
    return nodes
  }

  const fate = (node, before) => {
    if (node.loses === null || before && String(before.loses) === String(node.loses) && before.loses) return ""
    return `every order from here loses ${node.loses.length ? told(node.loses) : "a message"}`
  }
  const next = (node, worker) => {
    const step = node.next[worker]
    return step === undefined ? "has ended" : step.to === undefined ? `waits for the lock of ${node.lock}` : step.step
  }
  const outcome = node => {
    if (Object.keys(node.next).length) {
      return fate(node) || (design.losing ? "some order from here keeps every message" : "no order loses a message")
    }
    return node.loses ? `lost: ${told(node.loses)}` : "both workers have ended, and no message is lost"
  }

  const show = said => {
    const nodes = walk(path)
    const node = nodes.at(-1)
    const part = name => box.querySelector(`[data-part="${name}"]`)
    part("design").value = design.key
    part("what").textContent =
      `${design.what} ${design.losing} of ${design.orders} orders of their steps lose a message.`
    const state = {
      lock: node.lock ? `held by ${node.lock}` : "free", A: told(node.memory.A), B: told(node.memory.B),
      temporary: told(node.temporary), session: told(node.session),
    }
    for (const [name, text] of Object.entries(state)) {
      const cell = part(`state-${name}`)
      cell.classList.toggle("explorer-changed", said !== undefined && cell.textContent !== text)
      cell.textContent = text
    }
    // Not `disabled`: the button keeps the focus, and its words say why it does nothing now.
    for (const worker of WORKERS) {
      part(`step-${worker}`).textContent = `Worker ${worker}: ${next(node, worker)}`
      part(`step-${worker}`).setAttribute("aria-disabled", node.next[worker]?.to === undefined)
    }
    for (const name of ["back", "start"]) part(name).setAttribute("aria-disabled", path === "")
    part("worst").textContent = design.losing ? "The order that hurts" : "The order that waits longest"
    part("outcome").textContent = outcome(node)
    part("outcome").classList.toggle("explorer-lost", node.loses !== null)
    part("path").replaceChildren(...nodes.map((each, at) => {
      const words = at ? `${path[at - 1]}: ${nodes[at - 1].next[path[at - 1]].step}` : "before the first step"
      const link = element("a", { href: address(path.slice(0, at)), textContent: words })
      if (at === path.length) link.setAttribute("aria-current", "step")
      const lost = fate(each, nodes[at - 1])
      return element("li", {}, link, ...lost ? [element("strong", { textContent: lost })] : [])
    }))
    if (said !== undefined) part("said").textContent = [said, `trip.json: ${state.session}`, outcome(node)].filter(Boolean).join("; ")
  }

  const go = (to, said) => {
    path = to
    history.replaceState(history.state, "", address())
    show(said)
  }
  const actions = {
    step(worker) {
      const node = walk(path).at(-1)
      const words = `Worker ${worker}: ${next(node, worker)}`
      if (node.next[worker]?.to === undefined) box.querySelector('[data-part="said"]').textContent = words
      else go(path + worker, words)
    },
    a: () => actions.step("A"),
    b: () => actions.step("B"),
    back: () => path && go(path.slice(0, -1), "One step back"),
    start: () => path && go("", "Started again"),
    worst: () => go(design.opens, "The whole order"),
  }
  const KEYS = { a: "a", b: "b", Backspace: "back", Home: "start" }

  const build = () => {
    const button = (part, action, text = "") =>
      element("button", { part, type: "button", className: "md-button", textContent: text, onclick: actions[action] })
    const choice = element("select", { part: "design", id: "explorer-design" }, ...designs.map(each =>
      element("option", { value: each.key, textContent: each.title })))
    choice.onchange = () => {
      design = designs.find(each => each.key === choice.value)
      go(design.opens, design.title)
    }
    const rows = { lock: "Lock", A: "Worker A has in memory", B: "Worker B has in memory",
      temporary: "Temporary file, trip.json.tmp", session: "Session file, trip.json" }
    box.replaceChildren(
      element("p", {}, element("label", { htmlFor: choice.id, textContent: "Design " }), choice),
      element("p", { part: "what" }),
      element("div", { className: "explorer-buttons" }, button("step-A", "a"), button("step-B", "b")),
      element("div", { className: "explorer-buttons" }, button("back", "back", "Back"),
        button("start", "start", "Start again"), button("worst", "worst")),
      element("dl", {}, ...Object.entries(rows).map(([name, words]) =>
        element("div", {}, element("dt", { textContent: words }), element("dd", { part: `state-${name}` })))),
      element("p", { part: "outcome" }),
      element("ol", { part: "path", start: 0 }),
      element("p", { part: "said", className: "explorer-said", role: "status" }),
    )
    box.setAttribute("role", "group")
    box.setAttribute("aria-label", "Explorer of two writers")
    box.onkeydown = event => {
      const action = actions[KEYS[event.key]]
      if (!action || event.ctrlKey || event.metaKey || event.altKey || event.target === choice) return
      event.preventDefault()
      event.stopPropagation()
      action()
    }
    box.onclick = event => {
      const link = event.target.closest("a")
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      event.stopPropagation() // Material would take it for a link to a section
      go(link.hash.split("/")[1], `Back to: ${link.textContent}`)
      box.querySelector("[aria-current]").focus()
    }
  }
  const follow = () => {
    const [key, letters = ""] = location.hash.slice(1).split("/")
    const named = designs.find(each => each.key === key)
    if (!named && design && location.hash) return // a section of the page
    design = named ?? designs[0]
    path = named ? letters.slice(0, walk(letters).length - 1) : design.opens
    show()
    if (named) box.scrollIntoView()
  }

  document$.subscribe(async () => {
    box = document.getElementById("explorer")
    design = undefined
    if (!box) return
    designs ??= await (await fetch(new URL("explorer.json", here))).json()
    if (!box.isConnected) return
    build()
    follow()
  })
  addEventListener("hashchange", () => designs && box?.isConnected && follow())
})()
